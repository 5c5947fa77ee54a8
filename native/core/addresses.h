// IP addresses of links.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/netlink_message.h"
#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

/// One address of a link.
struct Address {
  int index = 0;
  int family = 0;    ///< AF_INET or AF_INET6.
  std::string text;  ///< The link's own address, not a point-to-point peer's.
  std::uint8_t prefix_length = 0;
  std::uint32_t flags = 0;  ///< IFA_F_*.
  std::uint8_t scope = 0;   ///< RT_SCOPE_*.
};

/// The address in an RTM_NEWADDR; nothing for another message or family, or one without an address.
std::optional<Address> ParseAddress(const Message& message);

/// All IPv4 and IPv6 addresses of the socket's namespace.
Result<std::vector<Address>> ListAddresses(Rtnetlink& socket);

/// Add "10.0.0.1/24" or "fd00::1/64" to a link. An IPv4 address gets its subnet's broadcast
/// address, as the reference CNI plugins do. EINVAL when the text is not that, EEXIST when the link
/// has it.
Result<Unit> AddAddress(Rtnetlink& socket, int index, const std::string& cidr);

}  // namespace multus
