#include "addon/arguments.h"

#include <sys/socket.h>

#include <cmath>

namespace multus {

std::int64_t Arguments::Integer(std::size_t position, const char* name, std::int64_t min,
                                std::int64_t max) {
  return ToInteger(info_[position], name, min, max);
}

std::optional<std::int64_t> Arguments::OptionalInteger(std::size_t position, const char* name,
                                                       std::int64_t min, std::int64_t max) {
  if (info_[position].IsUndefined()) return std::nullopt;
  return ToInteger(info_[position], name, min, max);
}

bool Arguments::Boolean(std::size_t position, const char* name) {
  return ToBoolean(info_[position], name);
}

std::string Arguments::String(std::size_t position, const char* name) {
  return ToString(info_[position], name);
}

std::string Arguments::Bytes(std::size_t position, const char* name) {
  if (info_[position].IsBuffer()) {
    const auto buffer = info_[position].As<Napi::Buffer<char>>();
    return {buffer.Data(), buffer.Length()};
  }
  Fail(name, "a Buffer");
  return {};
}

Napi::Object Arguments::Object(std::size_t position, const char* name) {
  if (info_[position].IsObject()) return info_[position].As<Napi::Object>();
  Fail(name, "an object");
  return Napi::Object::New(info_.Env());
}

std::string Arguments::OneProperty(std::size_t position, const char* name,
                                   std::initializer_list<const char*> properties) {
  const Napi::Object object = Object(position, name);
  std::string found;
  std::string all;
  int count = 0;
  for (const char* property : properties) {
    all += (all.empty() ? "" : ", ") + std::string(property);
    if (object.Get(property).IsUndefined()) continue;
    found = property;
    ++count;
  }
  if (count != 1) Fail(name, "an object with one of " + all);
  return found;
}

std::int64_t Arguments::Integer(const Napi::Object& object, const char* name, std::int64_t min,
                                std::int64_t max) {
  return ToInteger(object.Get(name), name, min, max);
}

bool Arguments::Boolean(const Napi::Object& object, const char* name) {
  return ToBoolean(object.Get(name), name);
}

std::string Arguments::String(const Napi::Object& object, const char* name) {
  return ToString(object.Get(name), name);
}

std::optional<std::int64_t> Arguments::OptionalInteger(const Napi::Object& object, const char* name,
                                                       std::int64_t min, std::int64_t max) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  return ToInteger(value, name, min, max);
}

std::string Arguments::OptionalString(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? std::string() : ToString(value, name);
}

bool Arguments::OptionalBoolean(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? false : ToBoolean(value, name);
}

Napi::Value Arguments::Throw() const {
  Napi::TypeError::New(info_.Env(), message_).ThrowAsJavaScriptException();
  return info_.Env().Undefined();
}

std::int64_t Arguments::ToInteger(const Napi::Value& value, const char* name, std::int64_t min,
                                  std::int64_t max) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (std::trunc(number) == number && number >= static_cast<double>(min) &&
        number <= static_cast<double>(max)) {
      return static_cast<std::int64_t>(number);
    }
  }
  Fail(name, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
  return min;
}

bool Arguments::ToBoolean(const Napi::Value& value, const char* name) {
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  Fail(name, "a boolean");
  return false;
}

std::string Arguments::ToString(const Napi::Value& value, const char* name) {
  if (value.IsString()) {
    std::string text = value.As<Napi::String>().Utf8Value();
    if (text.find('\0') == std::string::npos) return text;
  }
  Fail(name, "a string without NUL bytes");
  return {};
}

int Arguments::ToFamily(std::int64_t version, const char* name) {
  if (version == 5) Fail(name, "4 or 6");
  return version == 4 ? AF_INET : AF_INET6;
}

void Arguments::Fail(const char* name, const std::string& wanted) {
  if (message_.empty()) message_ = "The argument \"" + std::string(name) + "\" must be " + wanted;
}

}  // namespace multus
