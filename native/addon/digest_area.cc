// sha256, damageSum: digests for programs that answer one request.
#include <napi.h>

#include "addon/areas.h"
#include "addon/arguments.h"
#include "core/digest.h"

namespace multus {
namespace {

template <std::string (*Digest)(std::string_view)>
Napi::Value DigestOf(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string bytes = arguments.Bytes(0, "bytes");
  if (arguments.failed()) return arguments.Throw();
  return Napi::String::New(info.Env(), Digest(bytes));
}

}  // namespace

void InitDigestArea(Napi::Env env, Napi::Object exports) {
  exports.Set("sha256", Napi::Function::New(env, DigestOf<Sha256>, "sha256"));
  exports.Set("damageSum", Napi::Function::New(env, DigestOf<DamageSum>, "damageSum"));
}

}  // namespace multus
