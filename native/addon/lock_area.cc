// tryLockRange, markByte and byteMarker: locks between the programs of a node.
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

Napi::Value MarkByteOf(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto fd = static_cast<int>(arguments.Integer(0, "fd", 0, Arguments::kMaxInt));
  const std::int64_t at = arguments.Integer(1, "at", 0, kMaxOffset);
  if (arguments.failed()) return arguments.Throw();
  const Result<Unit> marked = MarkByte(fd, at);
  if (!marked.ok()) return Throw(info.Env(), marked.error());
  return info.Env().Undefined();
}

Napi::Value ByteMarkerOf(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto fd = static_cast<int>(arguments.Integer(0, "fd", 0, Arguments::kMaxInt));
  const std::int64_t at = arguments.Integer(1, "at", 0, kMaxOffset);
  if (arguments.failed()) return arguments.Throw();
  const Result<pid_t> marker = ByteMarker(fd, at);
  if (!marker.ok()) return Throw(info.Env(), marker.error());
  return Napi::Number::New(info.Env(), marker.value());
}

}  // namespace

void InitLockArea(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLockRange", Napi::Function::New(env, TryLockRangeOf, "tryLockRange"));
  exports.Set("markByte", Napi::Function::New(env, MarkByteOf, "markByte"));
  exports.Set("byteMarker", Napi::Function::New(env, ByteMarkerOf, "byteMarker"));
}

}  // namespace multus
