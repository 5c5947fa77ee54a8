// A request to rtnetlink and its answer, over an open NETLINK_ROUTE socket.
#pragma once

#include <cstdint>
#include <mutex>

#include "core/netlink_message.h"
#include "core/netlink_reply.h"
#include "core/result.h"
#include "core/rtnetlink.h"
#include "core/unique_fd.h"

namespace multus {

/// Open a NETLINK_ROUTE socket in the calling thread's network namespace, to which it stays bound
/// for life. Extended acks, capped acks and strict checking are on where the kernel has them
/// (4.12, 4.3, 4.20).
Result<UniqueFd> OpenRouteSocket();

/// Use of an open socket for one operation, which may be several requests. Borrows the fd; the
/// caller keeps it open. Any thread may use any socket: a second user of the same fd waits in the
/// constructor until the first is gone, so that neither swallows the other's replies.
class NetlinkSocket final : public Rtnetlink {
 public:
  explicit NetlinkSocket(int fd);

  Result<Unit> Change(MessageBuilder& request, const char* syscall) override;
  Result<Buffer> Get(MessageBuilder& request, const char* syscall) override;
  /// Repeats a dump that changed on the way; EINTR when it keeps changing.
  Result<Buffer> Dump(MessageBuilder& request, const char* syscall) override;

 private:
  Result<Buffer> Exchange(ReplyCollector& collector, MessageBuilder& request, const char* syscall);
  Result<Unit> Prepare();
  Result<Unit> Send(Bytes request, const char* syscall) const;
  Result<Bytes> Receive(const char* syscall);

  int fd_;
  std::unique_lock<std::mutex> lock_;
  std::uint32_t sequence_ = 0;
  std::uint32_t port_ = 0;  ///< 0 until Prepare().
  Buffer buffer_;
};

}  // namespace multus
