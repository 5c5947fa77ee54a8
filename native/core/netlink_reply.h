// What the kernel's answer to one request means: acknowledgements, errors with their text, ends of
// dumps. Pure: datagrams go in, an outcome comes out.
#pragma once

#include <cstdint>
#include <string>

#include "core/netlink_message.h"
#include "core/result.h"

namespace multus {

/// The verdict inside NLMSG_ERROR or NLMSG_DONE: `code` is a positive errno, 0 for success;
/// `detail` the extended acknowledgement's text (linux/netlink.h, NLMSGERR_ATTR_*), which may
/// accompany success too as a warning.
struct Verdict {
  int code = 0;
  std::string detail;
};

/// Verdict of an NLMSG_ERROR message (an ack when its code is 0). EBADMSG when the message is too
/// short.
Verdict ParseErrorMessage(const Message& message);

/// Verdict of an NLMSG_DONE message. Errors of a dump arrive here and not in an NLMSG_ERROR: errno
/// in the first four bytes, text right behind it. A reader that ignores them takes a refused dump
/// for an empty one.
Verdict ParseDoneMessage(const Message& message);

/// Gathers the datagrams that answer one request until the answer is complete.
class ReplyCollector {
 public:
  enum class Kind {
    kAck,   ///< A change: ends with an NLMSG_ERROR, code 0 = done.
    kOne,   ///< A get: ends with the first message.
    kDump,  ///< A dump: ends with NLMSG_DONE.
  };

  /// `syscall` names the request in errors ("RTM_GETLINK"). Messages with another sequence number
  /// or port id are left overs of an earlier request and are skipped.
  ReplyCollector(Kind kind, const char* syscall, std::uint32_t sequence, std::uint32_t port);

  /// Take in one datagram.
  void Feed(Bytes datagram);
  /// No more datagrams belong to this answer.
  bool finished() const { return finished_; }
  /// A dump whose objects changed on the way (NLM_F_DUMP_INTR, or EINTR): it is inconsistent and
  /// must be repeated.
  bool interrupted() const { return interrupted_; }
  /// The messages, headers included, laid end to end; or the kernel's error. Call once, when
  /// finished.
  Result<Buffer> Take();

 private:
  void Accept(const Message& message);
  void Fail(Verdict verdict);

  Kind kind_;
  const char* syscall_;
  std::uint32_t sequence_;
  std::uint32_t port_;
  bool finished_ = false;
  bool interrupted_ = false;
  Verdict failure_;
  Buffer messages_;
};

}  // namespace multus
