// Asking about another network namespace without entering it, by the number under which the
// socket's own namespace knows it.
#pragma once

#include <optional>

#include "core/netlink_message.h"
#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

/// Number by which the socket's namespace knows the one of `netns_fd`; where it has none yet, the
/// kernel is made to give it one, for good. Errors: EINVAL when the fd is no network namespace,
/// EPERM when it has no number and we may not give one (CAP_NET_ADMIN in the socket's namespace).
Result<int> NetnsId(Rtnetlink& socket, int netns_fd);

/// Direct a get or dump of links to that namespace; nothing = the socket's own.
/// Never in a change: there the attribute moves the link.
void AddTargetNetns(MessageBuilder& request, std::optional<int> nsid);

/// Whether a reply is of the namespace that was asked: the kernel repeats the number in every
/// message. One before 4.15 ignores it and answers of the socket's own: EOPNOTSUPP then.
Result<Unit> CheckTargetNetns(Bytes reply, std::optional<int> nsid, const char* syscall);

}  // namespace multus
