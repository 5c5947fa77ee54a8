#include "shim/invocation.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "core/frames.h"
#include "core/json_scan.h"
#include "core/unique_fd.h"
#include "core/version.h"

namespace multus {
namespace {

constexpr size_t kMaxConfig = 16 * 1024 * 1024;
constexpr std::string_view kDefaultSocketDir = "/run/multus";
constexpr std::string_view kDefaultBinDir = "/opt/cni/bin";
constexpr std::string_view kDefaultCniVersion = "1.0.0";

std::string NewOperation() {
  unsigned char bytes[16];
  // Cannot fail for so few bytes once the system has booted; an id that is not random is still
  // better than none.
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    for (size_t i = 0; i < sizeof bytes; i++) {
      bytes[i] = static_cast<unsigned char>(getpid() >> (i % 4 * 8));
    }
  }
  constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : bytes) {
    id.push_back(kHex[byte >> 4]);
    id.push_back(kHex[byte & 0xf]);
  }
  return id;
}

// The daemon ends what our plugins started when we are killed; our process numbers mean something
// to it only if it shares our PID namespace.
std::string PidNamespace() {
  struct stat status;
  return stat("/proc/self/ns/pid", &status) == 0 ? std::to_string(status.st_ino) : "";
}

Result<Unit> ReadAll(int fd, std::string* out) {
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n == 0) return Unit{};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read");
    out->append(buffer, static_cast<size_t>(n));
    if (out->size() > kMaxConfig) return Error{.code = EFBIG, .syscall = "read"};
  }
}

std::vector<std::string> PluginDirs(std::string bin_dir) {
  std::vector<std::string> dirs = {std::move(bin_dir)};
  const char* variable = getenv("CNI_PATH");
  std::string_view path = variable == nullptr ? "" : variable;
  while (!path.empty()) {
    const size_t end = path.find(':');
    const std::string_view dir = path.substr(0, end);
    if (!dir.empty() && std::find(dirs.begin(), dirs.end(), dir) == dirs.end()) {
      dirs.emplace_back(dir);
    }
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return dirs;
}

void AppendBase64(std::string* out, std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = bytes.size() - i;
    const auto byte = [&](size_t k) {
      return k < count ? uint32_t{static_cast<unsigned char>(bytes[i + k])} : 0;
    };
    const uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    out->push_back(kAlphabet[group >> 18]);
    out->push_back(kAlphabet[group >> 12 & 63]);
    out->push_back(count > 1 ? kAlphabet[group >> 6 & 63] : '=');
    out->push_back(count > 2 ? kAlphabet[group & 63] : '=');
  }
}

// What the daemon set for the whole node counts before the request's own; without the file nothing
// does. src/attach/overlay-file.ts writes it.
std::string ReadOverlay(const std::string& socket_dir) {
  const std::string path = socket_dir + "/overlay.json";
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string overlay;
  if (file.valid()) (void)ReadAll(file.get(), &overlay);  // Read in part, it is no JSON object.
  return overlay;
}

// The runtime's other variables are none of the daemon's business.
bool IsForDaemon(std::string_view name) {
  return name.starts_with("CNI_") || name == "TRACEPARENT" || name == "TRACESTATE" ||
         name == "BAGGAGE";
}

void AppendEnvironment(std::string* out) {
  bool first = true;
  for (char** entry = environ; *entry != nullptr; entry++) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || !IsForDaemon(text.substr(0, equals))) continue;
    if (!first) out->push_back(',');
    first = false;
    AppendJsonString(out, text.substr(0, equals));
    out->push_back(':');
    AppendJsonString(out, text.substr(equals + 1));
  }
}

}  // namespace

Result<std::string> ReadConfig() {
  std::string config;
  if (const Result<Unit> read = ReadAll(STDIN_FILENO, &config); !read.ok()) return read.error();
  return config;
}

Invocation MakeInvocation(std::string config) {
  Invocation made;
  made.cni_version = FindJsonString(config, "cniVersion").value_or(std::string());
  if (made.cni_version.empty()) made.cni_version = kDefaultCniVersion;
  made.operation = NewOperation();
  std::string socket_dir = FindJsonString(config, "daemonSocketDir").value_or(std::string());
  if (socket_dir.empty()) socket_dir = kDefaultSocketDir;
  made.socket_path = socket_dir + "/multus.sock";
  std::optional<std::string> node_dir = FindJsonString(ReadOverlay(socket_dir), "binDir");
  if (!node_dir) node_dir = FindJsonString(config, "binDir");
  std::string bin_dir = std::move(node_dir).value_or(std::string());
  if (bin_dir.empty()) bin_dir = kDefaultBinDir;
  made.plugin_dirs = PluginDirs(std::move(bin_dir));
  made.config = std::move(config);
  return made;
}

std::string EncodeRequest(const Invocation& invocation) {
  std::string body = "{\"env\":{";
  AppendEnvironment(&body);
  body += "},\"config\":\"";
  AppendBase64(&body, invocation.config);
  body += "\"}";

  std::string request = "POST /cni HTTP/1.1\r\nHost: multus\r\nContent-Type: application/json\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  request += "Connection: Upgrade\r\nUpgrade: ";
  request += kExecProtocol;
  // A daemon that does not upgrade says 100 when it begins, and we know that it is at work: its
  // reply comes only after the delegates have run. We send the body without waiting for that.
  request +=
      "\r\nExpect: 100-continue\r\nX-Multus-Shim: " MULTUS_VERSION "\r\nX-Multus-Operation: ";
  request += invocation.operation + "\r\nX-Multus-Pidns: " + PidNamespace() + "\r\n\r\n" + body;
  return request;
}

}  // namespace multus
