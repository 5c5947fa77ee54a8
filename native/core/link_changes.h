// Changes of links, each by ifindex. Index 0 is never sent: the kernel would then look the link up
// by IFLA_IFNAME, and a rename would acknowledge having done nothing.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

/// Rename a link. Kernels up to 6.1 refuse that with EBUSY while it is up; it is then taken down
/// and up again, and the result is true: routes and IPv6 addresses may be lost. On failure the link
/// is up as before. EINVAL for names that are impossible or that the kernel takes for something
/// else: an empty name (does nothing) and '%' (a template). ERANGE for more than 15 bytes, EEXIST
/// when any link has it as name or alternative name, itself included.
Result<bool> RenameLink(Rtnetlink& socket, int index, const std::string& name);

/// Move a link to the namespace of `netns_fd`, where it gets `name`. It arrives down, without
/// addresses and routes. EEXIST when a link there has that name or alternative name, or this link
/// has it as an alternative one; like every impossible name that is found out before the move,
/// because the kernel renames after it, and does not move back. Whatever else fails after the move
/// says in its detail where the link is.
Result<Unit> MoveLink(Rtnetlink& socket, int index, int netns_fd, const std::string& name);

/// Set or clear IFF_UP.
Result<Unit> SetLinkUp(Rtnetlink& socket, int index, bool up);

/// EINVAL with the driver's limits in the detail when it does not take that MTU.
Result<Unit> SetLinkMtu(Rtnetlink& socket, int index, std::uint32_t mtu);

/// `mac` as text; EINVAL when it is not a hardware address of the link's length.
Result<Unit> SetLinkMac(Rtnetlink& socket, int index, const std::string& mac);

/// Add an alternative name (Linux 5.5), up to 127 bytes. EEXIST when any link has it.
Result<Unit> AddAltName(Rtnetlink& socket, int index, const std::string& name);

/// ENOENT or EINVAL when the link does not have that alternative name.
Result<Unit> DeleteAltName(Rtnetlink& socket, int index, const std::string& name);

/// EOPNOTSUPP for what cannot be deleted (physical devices, loopback).
Result<Unit> DeleteLink(Rtnetlink& socket, int index);

}  // namespace multus
