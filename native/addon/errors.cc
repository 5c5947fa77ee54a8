#include "addon/errors.h"

#include <cstring>
#include <string>

namespace multus {

namespace {

/// "ENODEV". libuv's own table knows too few (it lacks ENOTUNIQ, EREMOTEIO and the like).
std::string CodeName(int code) {
  const char* name = strerrorname_np(code);
  return name != nullptr ? name : std::to_string(code);
}

std::string CodeText(int code) {
  const char* text = strerrordesc_np(code);
  return text != nullptr ? text : "Unknown error";
}

std::string MessageOf(const Error& error) {
  std::string message = error.syscall;
  if (!error.ifname.empty()) message += " " + error.ifname;
  if (!error.path.empty()) message += " " + error.path;
  message += ": " + CodeName(error.code) + ", " + CodeText(error.code);
  if (!error.detail.empty()) message += " (" + error.detail + ")";
  return message;
}

}  // namespace

Napi::Error MakeError(Napi::Env env, const Error& error) {
  Napi::Error made = Napi::Error::New(env, MessageOf(error));
  Napi::Object object = made.Value();
  object.Set("errno", -error.code);
  object.Set("code", CodeName(error.code));
  object.Set("syscall", error.syscall);
  if (!error.ifname.empty()) object.Set("ifname", error.ifname);
  if (!error.path.empty()) object.Set("path", error.path);
  if (!error.detail.empty()) object.Set("detail", error.detail);
  return made;
}

}  // namespace multus
