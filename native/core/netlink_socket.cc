#include "core/netlink_socket.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string>

namespace multus {

namespace {

/// The kernel answers before sendmsg returns; this only ends a wait for an answer that somebody
/// else has read.
constexpr timeval kReceiveTimeout{.tv_sec = 5, .tv_usec = 0};

/// Offering 32 KB lets the kernel fill its dump datagrams up to that size (af_netlink.c,
/// max_recvmsg_len).
constexpr std::size_t kBufferSize = 32768;

/// A dump is inconsistent when a link comes or goes while it runs; on a busy node one repetition is
/// usual, more are rare.
constexpr int kDumpAttempts = 10;

/// One lock for the users of a socket. Keyed by the number alone: two sockets that share a lock
/// only wait for each other, and rtnetlink serialises changes anyway.
std::mutex& LockFor(int fd) {
  static std::array<std::mutex, 64> locks;
  return locks[static_cast<unsigned>(fd) % locks.size()];
}

/// Where a socket's sequence numbers start: anywhere that an earlier user of the same socket did
/// not just use.
std::uint32_t FirstSequence() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint32_t>(now.tv_nsec) ^ (static_cast<std::uint32_t>(now.tv_sec) << 20);
}

}  // namespace

Result<UniqueFd> OpenRouteSocket() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return ErrnoError("socket", "NETLINK_ROUTE");
  // A kernel without one of these works as well, only with fewer words in its errors.
  const int on = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    (void)setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof(on));
  }
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kReceiveTimeout, sizeof(kReceiveTimeout)) !=
      0) {
    return ErrnoError("setsockopt", "SO_RCVTIMEO");
  }
  const sockaddr_nl any{.nl_family = AF_NETLINK};
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0) {
    return ErrnoError("bind", "NETLINK_ROUTE");
  }
  return fd;
}

NetlinkSocket::NetlinkSocket(int fd) : fd_(fd), lock_(LockFor(fd)), sequence_(FirstSequence()) {}

Result<Unit> NetlinkSocket::Change(MessageBuilder& request, const char* syscall) {
  if (auto ready = Prepare(); !ready.ok()) return std::move(ready.error());
  ReplyCollector collector(ReplyCollector::Kind::kAck, syscall, ++sequence_, port_);
  auto reply = Exchange(collector, request, syscall);
  if (!reply.ok()) return std::move(reply.error());
  return Unit{};
}

Result<Buffer> NetlinkSocket::Get(MessageBuilder& request, const char* syscall) {
  if (auto ready = Prepare(); !ready.ok()) return std::move(ready.error());
  ReplyCollector collector(ReplyCollector::Kind::kOne, syscall, ++sequence_, port_);
  return Exchange(collector, request, syscall);
}

Result<Buffer> NetlinkSocket::Dump(MessageBuilder& request, const char* syscall) {
  if (auto ready = Prepare(); !ready.ok()) return std::move(ready.error());
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    ReplyCollector collector(ReplyCollector::Kind::kDump, syscall, ++sequence_, port_);
    auto reply = Exchange(collector, request, syscall);
    if (!collector.interrupted()) return reply;
  }
  return Error{
      .code = EINTR,
      .syscall = syscall,
      .detail = "the dump changed under way " + std::to_string(kDumpAttempts) + " times in a row"};
}

Result<Buffer> NetlinkSocket::Exchange(ReplyCollector& collector, MessageBuilder& request,
                                       const char* syscall) {
  if (auto sent = Send(request.Finish(sequence_, port_), syscall); !sent.ok()) {
    return std::move(sent.error());
  }
  while (!collector.finished()) {
    auto datagram = Receive(syscall);
    if (!datagram.ok()) return std::move(datagram.error());
    collector.Feed(datagram.value());
  }
  return collector.Take();
}

/// Learn our port id, and that the fd is a netlink socket at all.
Result<Unit> NetlinkSocket::Prepare() {
  if (port_ != 0) return Unit{};
  sockaddr_nl own{};
  socklen_t length = sizeof(own);
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &length) != 0) {
    return ErrnoError("getsockname", "the netlink socket is fd " + std::to_string(fd_));
  }
  if (own.nl_family != AF_NETLINK || own.nl_pid == 0) {
    return Error{.code = EINVAL,
                 .syscall = "getsockname",
                 .detail = "fd " + std::to_string(fd_) + " is not a bound netlink socket"};
  }
  port_ = own.nl_pid;
  return Unit{};
}

Result<Unit> NetlinkSocket::Send(Bytes request, const char* syscall) const {
  while (send(fd_, request.data(), request.size(), 0) < 0) {
    if (errno != EINTR) return ErrnoError(syscall, "the request could not be sent");
  }
  return Unit{};
}

/// One datagram from the kernel, in buffer_ until the next call. Peeks for the size first: a VF
/// list reaches 300 KB, and whatever does not fit a buffer is lost.
Result<Bytes> NetlinkSocket::Receive(const char* syscall) {
  for (;;) {
    const ssize_t size = recv(fd_, nullptr, 0, MSG_PEEK | MSG_TRUNC);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        return Error{.code = ETIMEDOUT, .syscall = syscall, .detail = "the kernel did not answer"};
      }
      return ErrnoError(syscall, "the reply could not be received");
    }
    buffer_.resize(std::max(static_cast<std::size_t>(size), kBufferSize));
    sockaddr_nl sender{};
    socklen_t length = sizeof(sender);
    const ssize_t received = recvfrom(fd_, buffer_.data(), buffer_.size(), MSG_TRUNC,
                                      reinterpret_cast<sockaddr*>(&sender), &length);
    if (received < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(syscall, "the reply could not be received");
    }
    // Any process may send to a netlink port; only the kernel has port 0.
    if (sender.nl_pid != 0) continue;
    if (static_cast<std::size_t>(received) > buffer_.size()) {
      return Error{.code = EMSGSIZE, .syscall = syscall, .detail = "the reply grew while read"};
    }
    return Bytes(buffer_).first(static_cast<std::size_t>(received));
  }
}

}  // namespace multus
