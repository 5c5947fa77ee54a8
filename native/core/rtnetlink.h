// What links, addresses, routes and VFs need of a connection to rtnetlink.
#pragma once

#include "core/netlink_message.h"
#include "core/result.h"

namespace multus {

/// Carries requests to rtnetlink and brings the answers: a NetlinkSocket, or a script in tests, for
/// kernels that the tests do not run on. `syscall` names the request in errors ("RTM_SETLINK").
class Rtnetlink {
 public:
  Rtnetlink() = default;
  Rtnetlink(const Rtnetlink&) = delete;
  Rtnetlink& operator=(const Rtnetlink&) = delete;
  virtual ~Rtnetlink() = default;

  /// Send a change and wait for its acknowledgement.
  virtual Result<Unit> Change(MessageBuilder& request, const char* syscall) = 0;
  /// Send a get and return the one message that answers it.
  virtual Result<Buffer> Get(MessageBuilder& request, const char* syscall) = 0;
  /// Send a dump and return all its messages, laid end to end.
  virtual Result<Buffer> Dump(MessageBuilder& request, const char* syscall) = 0;
};

}  // namespace multus
