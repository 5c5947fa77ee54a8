// tryLockRange, tryLockFile: locks between the programs of a node.
#include <napi.h>

#include <limits>

#include "addon/areas.h"
#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/range_lock.h"

namespace multus {
namespace {

constexpr std::int64_t kMaxOffset = std::int64_t{1}
                                    << 53;  // What a JavaScript number holds exactly.

Napi::Value Throw(Napi::Env env, const Error& error) {
  MakeError(env, error).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value TryLockRangeOf(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto fd = static_cast<int>(arguments.Integer(0, "fd", 0, Arguments::kMaxInt));
  const std::int64_t start = arguments.Integer(1, "start", 0, kMaxOffset);
  const std::int64_t length = arguments.Integer(2, "length", 0, kMaxOffset);
  if (arguments.failed()) return arguments.Throw();
  const Result<bool> locked = TryLockRange(fd, start, length);
  if (!locked.ok()) return Throw(info.Env(), locked.error());
  return Napi::Boolean::New(info.Env(), locked.value());
}

Napi::Value TryLockFileOf(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto fd = static_cast<int>(arguments.Integer(0, "fd", 0, Arguments::kMaxInt));
  if (arguments.failed()) return arguments.Throw();
  const Result<bool> locked = TryLockFile(fd);
  if (!locked.ok()) return Throw(info.Env(), locked.error());
  return Napi::Boolean::New(info.Env(), locked.value());
}

}  // namespace

void InitLockArea(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLockRange", Napi::Function::New(env, TryLockRangeOf, "tryLockRange"));
  exports.Set("tryLockFile", Napi::Function::New(env, TryLockFileOf, "tryLockFile"));
}

}  // namespace multus
