// Links as RTM_GETLINK reports them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/netlink_message.h"
#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

/// One link. Empty strings and zeros stand for what the kernel did not report.
struct Link {
  int index = 0;
  std::string name;
  std::string kind;           ///< IFLA_INFO_KIND; '' for physical devices and loopback.
  std::string mac;            ///< Lower-case, colon-separated.
  std::string permanent_mac;  ///< IFLA_PERM_ADDRESS (5.6).
  std::uint32_t mtu = 0;
  std::uint32_t flags = 0;  ///< IFF_*.
  int parent_index = 0;     ///< IFLA_LINK: a veth's peer, a macvlan's parent.
  int parent_nsid = -1;     ///< IFLA_LINK_NETNSID; -1 = in the same namespace.
  int master_index = 0;
  std::vector<std::string> alt_names;
  std::string parent_device;  ///< IFLA_PARENT_DEV_NAME (5.14).
  std::string parent_bus;     ///< IFLA_PARENT_DEV_BUS_NAME (5.14): "pci".
  std::string port_name;      ///< IFLA_PHYS_PORT_NAME: "p0", "pf0vf3".
  std::string switch_id;      ///< IFLA_PHYS_SWITCH_ID in hexadecimal.
};

/// The link in an RTM_NEWLINK; nothing for another message, a short one, or one without a name.
std::optional<Link> ParseLink(const Message& message);

/// Links of the socket's namespace, or of another by its number (see netns_id.h), without VFs or
/// statistics.
Result<std::vector<Link>> ListLinks(Rtnetlink& socket, std::optional<int> nsid = std::nullopt);

/// ENODEV when there is none.
Result<Link> GetLink(Rtnetlink& socket, int index);

/// By primary name. The kernel's look-up takes alternative names too (5.5): such a match is ENODEV
/// here, and the detail says whose name it is.
Result<Link> GetLinkByName(Rtnetlink& socket, const std::string& name);

/// The link that has the name, be it as an alternative one; ENODEV when there is none.
Result<Link> GetLinkByAnyName(Rtnetlink& socket, const std::string& name,
                              std::optional<int> nsid = std::nullopt);

/// The kernel's message about one link, with what `mask` asks for (RTEXT_FILTER_*). ENODEV when
/// there is none.
Result<Buffer> AskForLink(Rtnetlink& socket, int index, std::uint32_t mask,
                          std::optional<int> nsid = std::nullopt);

/// Put the link's name into an error about it; or, where the kernel said ENODEV without a word,
/// what it means.
Error DescribeLinkError(Rtnetlink& socket, int index, Error error);

}  // namespace multus
