// Entry point of the addon: one line per area. The addon converts and schedules; all work is in
// native/core.
#include <napi.h>

#include "addon/areas.h"

namespace multus {

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) {
  InitNetlinkArea(env, exports);
  InitProcessArea(env, exports);
  InitLockArea(env, exports);
  InitFileArea(env, exports);
  InitDigestArea(env, exports);
  return exports;
}

}  // namespace multus

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  return multus::InitModule(env, exports);
}

NODE_API_MODULE(multus_native, Init)
