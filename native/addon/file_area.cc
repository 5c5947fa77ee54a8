// placeFile: a file in the place of another, by one visit to the thread pool.
#include <napi.h>

#include <string>
#include <utility>

#include "addon/areas.h"
#include "addon/arguments.h"
#include "addon/task.h"
#include "core/whole_file.h"

namespace multus {
namespace {

constexpr std::int64_t kAllPermissions = 07777;

Napi::Value PlaceFileOf(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string draft = arguments.String(0, "draft");
  std::string path = arguments.String(1, "path");
  std::string bytes = arguments.Bytes(2, "content");
  const auto mode = static_cast<mode_t>(arguments.Integer(3, "mode", 0, kAllPermissions));
  if (arguments.failed()) return arguments.Throw();
  return Task<Unit>::Start(
      info.Env(),
      [draft = std::move(draft), path = std::move(path), bytes = std::move(bytes), mode] {
        return PlaceFile(draft, path, bytes, mode);
      },
      [](Napi::Env env, const Unit&) { return env.Undefined(); });
}

}  // namespace

void InitFileArea(Napi::Env env, Napi::Object exports) {
  exports.Set("placeFile", Napi::Function::New(env, PlaceFileOf, "placeFile"));
}

}  // namespace multus
