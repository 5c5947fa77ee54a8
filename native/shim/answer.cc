#include "shim/answer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "core/json_scan.h"

namespace multus {

Answer CniError(std::string_view cni_version, int code, std::string_view message,
                std::string_view details) {
  std::string json = "{\"cniVersion\":";
  AppendJsonString(&json, cni_version);
  json += ",\"code\":" + std::to_string(code) + ",\"msg\":";
  AppendJsonString(&json, message);
  if (!details.empty()) {
    json += ",\"details\":";
    AppendJsonString(&json, details);
  }
  json += "}\n";
  return {.exit_code = 1, .bytes = std::move(json)};
}

namespace {

// Multus's daemon answers in 1.1.0 whatever was asked for: its shim converts. To readers of 1.x and
// of 0.3.0 to 0.4.0 the forms differ by members that may be missing, but they refuse a version that
// they do not know.
std::string InVersion(std::string_view result, std::string_view cni_version) {
  const auto written = FindJsonValue(result, "cniVersion");
  if (!written.has_value() || cni_version < "0.3.0") return std::string(result);
  const auto begin = static_cast<size_t>(written->data() - result.data());
  std::string converted(result.substr(0, begin));
  AppendJsonString(&converted, cni_version);
  converted += result.substr(begin + written->size());
  return converted;
}

}  // namespace

Answer AnswerFromReply(int status, std::string_view body, std::string_view cni_version) {
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
  if (status >= 200 && status < 300) {
    if (body.empty()) return {};
    const auto result = FindJsonValue(body, "Result");
    if (result == "null") return {};
    if (result.has_value()) return {.exit_code = 0, .bytes = InVersion(*result, cni_version)};
    return CniError(cni_version, kInternalError, "The daemon's reply has no result", body);
  }
  const bool is_cni_error =
      FindJsonValue(body, "code").has_value() && FindJsonString(body, "msg").has_value();
  if (is_cni_error) return {.exit_code = 1, .bytes = std::string(body)};
  if (!body.empty()) return CniError(cni_version, kInternalError, body, {});
  return CniError(cni_version, kInternalError,
                  "The daemon replied HTTP status " + std::to_string(status), {});
}

void WriteStdout(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      // The runtime's pipe may be non-blocking: that is a property of the pipe, not of the process.
      pollfd writable{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace multus
