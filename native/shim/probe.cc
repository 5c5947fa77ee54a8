#include "shim/probe.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "core/http_reply.h"
#include "core/unique_fd.h"

namespace multus {
namespace {

constexpr timeval kLimit = {.tv_sec = 2, .tv_usec = 0};

int Fail(std::string_view path, std::string_view reason) {
  std::string text = "multus probe ";
  text.append(path).append(": ").append(reason).append("\n");
  (void)!write(STDERR_FILENO, text.data(), text.size());
  return 1;
}

// The kernel gives a process of another PID namespace, not one below ours, as 0.
bool IsOfThisContainer(int fd) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid != 0;
}

}  // namespace

int Probe(int argc, char** argv) {
  const std::string_view path = argc > 2 ? argv[2] : "";
  if (argc > 4 || (path != "/healthz" && path != "/readyz")) {
    constexpr char kUsage[] = "usage: multus probe /healthz|/readyz [SOCKET_DIR]\n";
    (void)!write(STDERR_FILENO, kUsage, sizeof kUsage - 1);
    return 2;
  }
  const std::string socket_path = std::string(argc > 3 ? argv[3] : "/run/multus") + "/multus.sock";
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return Fail(path, strerror(ENAMETOOLONG));
  memcpy(address.sun_path, socket_path.data(), socket_path.size());

  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kLimit, sizeof kLimit);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kLimit, sizeof kLimit);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Fail(path, socket_path + ": " + strerror(errno));
  }
  if (path == "/readyz" && !IsOfThisContainer(fd.get())) {
    return Fail(path, "the daemon of another container answers on " + socket_path);
  }
  std::string request = "GET ";
  request.append(path).append(" HTTP/1.1\r\nHost: multus\r\nConnection: close\r\n\r\n");
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return Fail(path, strerror(errno));
  }
  HttpReply reply;
  while (reply.status() == 0) {
    char buffer[4096];
    const ssize_t n = recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0) return Fail(path, errno == EAGAIN ? "no reply within 2 s" : strerror(errno));
    if (n == 0) return Fail(path, "connection closed");
    if (reply.Push(std::string_view(buffer, static_cast<size_t>(n))) == HttpReply::State::kBad) {
      return Fail(path, "not an HTTP reply");
    }
  }
  if (reply.status() != 200) return Fail(path, "HTTP status " + std::to_string(reply.status()));
  return 0;
}

}  // namespace multus
