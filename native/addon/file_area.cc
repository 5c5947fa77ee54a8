// placeFile, syncFile: files that are whole at any time, each by one visit to the thread pool.
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

Napi::Value Nothing(Napi::Env env, const Unit&) { return env.Undefined(); }

Napi::Value PlaceFileJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  WholeFile file;
  file.draft = arguments.String(0, "draft");
  file.path = arguments.String(1, "path");
  std::string bytes = arguments.Bytes(2, "content");
  file.mode = static_cast<mode_t>(arguments.Integer(3, "mode", 0, kAllPermissions));
  file.durable = arguments.Boolean(4, "durable");
  file.kept = arguments.String(5, "kept");
  if (arguments.failed()) return arguments.Throw();
  return Task<Unit>::Start(
      info.Env(),
      [file = std::move(file), bytes = std::move(bytes)] { return PlaceFile(file, bytes); },
      Nothing);
}

Napi::Value SyncFileJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string path = arguments.String(0, "path");
  std::string obsolete = arguments.String(1, "obsolete");
  if (arguments.failed()) return arguments.Throw();
  return Task<Unit>::Start(
      info.Env(),
      [path = std::move(path), obsolete = std::move(obsolete)] { return SyncFile(path, obsolete); },
      Nothing);
}

}  // namespace

void InitFileArea(Napi::Env env, Napi::Object exports) {
  exports.Set("placeFile", Napi::Function::New(env, PlaceFileJs, "placeFile"));
  exports.Set("syncFile", Napi::Function::New(env, SyncFileJs, "syncFile"));
}

}  // namespace multus
