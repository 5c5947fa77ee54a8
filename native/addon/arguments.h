// Checked reading of JavaScript arguments.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>

namespace multus {

/// Reads a call's arguments, and properties of an object among them. The first that has the wrong
/// type is remembered, and the value returned for it is empty: ask failed() before use, then return
/// Throw(). The TypeError names the argument.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  /// A whole number between `min` and `max`.
  std::int64_t Integer(std::size_t position, const char* name, std::int64_t min, std::int64_t max);
  /// Nothing when the argument is left out.
  std::optional<std::int64_t> OptionalInteger(std::size_t position, const char* name,
                                              std::int64_t min, std::int64_t max);
  bool Boolean(std::size_t position, const char* name);
  /// A string without NUL bytes, which no kernel interface could take.
  std::string String(std::size_t position, const char* name);
  /// A copy of a Buffer's bytes.
  std::string Bytes(std::size_t position, const char* name);
  Napi::Object Object(std::size_t position, const char* name);

  /// Of an object that must have exactly one property of these: which.
  std::string OneProperty(std::size_t position, const char* name,
                          std::initializer_list<const char*> properties);

  /// The open netlink socket, first argument of most functions.
  int Socket() { return static_cast<int>(Integer(0, "socket", 0, kMaxInt)); }
  /// A link's index, second argument of most functions. 0 would mean "look it up by name" to the
  /// kernel.
  int Index() { return static_cast<int>(Integer(1, "index", 1, kMaxInt)); }
  /// 4 or 6, as AF_INET or AF_INET6.
  int Family(std::size_t position, const char* name) {
    return ToFamily(Integer(position, name, 4, 6), name);
  }

  std::int64_t Integer(const Napi::Object& object, const char* name, std::int64_t min,
                       std::int64_t max);
  bool Boolean(const Napi::Object& object, const char* name);
  std::string String(const Napi::Object& object, const char* name);
  int Family(const Napi::Object& object, const char* name) {
    return ToFamily(Integer(object, name, 4, 6), name);
  }
  /// Nothing when the property is absent or undefined.
  std::optional<std::int64_t> OptionalInteger(const Napi::Object& object, const char* name,
                                              std::int64_t min, std::int64_t max);
  /// '' when absent or undefined.
  std::string OptionalString(const Napi::Object& object, const char* name);
  /// False when absent or undefined.
  bool OptionalBoolean(const Napi::Object& object, const char* name);

  bool failed() const { return !message_.empty(); }
  /// Throw the TypeError; the value to return to JavaScript.
  Napi::Value Throw() const;

  static constexpr std::int64_t kMaxInt = std::numeric_limits<std::int32_t>::max();
  static constexpr std::int64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();

 private:
  std::int64_t ToInteger(const Napi::Value& value, const char* name, std::int64_t min,
                         std::int64_t max);
  bool ToBoolean(const Napi::Value& value, const char* name);
  std::string ToString(const Napi::Value& value, const char* name);
  int ToFamily(std::int64_t version, const char* name);
  void Fail(const char* name, const std::string& wanted);

  const Napi::CallbackInfo& info_;
  std::string message_;
};

}  // namespace multus
