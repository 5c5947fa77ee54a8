#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "core/address_text.h"
#include "core/link_attributes.h"
#include "core/links.h"

namespace multus {

namespace {

void ReadAltNames(Bytes properties, std::vector<std::string>& names) {
  AttributeCursor cursor(properties);
  while (const auto property = cursor.Next()) {
    if (property->type == IFLA_ALT_IFNAME) names.emplace_back(ReadString(property->payload));
  }
}

void ReadLinkAttribute(const Attribute& attribute, Link& link) {
  const Bytes payload = attribute.payload;
  switch (attribute.type) {
    case IFLA_IFNAME:
      link.name = ReadString(payload);
      break;
    case IFLA_ADDRESS:
      link.mac = FormatMac(payload);
      break;
    case IFLA_PERM_ADDRESS:
      link.permanent_mac = FormatMac(payload);
      break;
    case IFLA_MTU:
      link.mtu = ReadAs<std::uint32_t>(payload).value_or(0);
      break;
    case IFLA_LINK:
      link.parent_index = ReadAs<std::int32_t>(payload).value_or(0);
      break;
    case IFLA_LINK_NETNSID:
      link.parent_nsid = ReadAs<std::int32_t>(payload).value_or(-1);
      break;
    case IFLA_MASTER:
      link.master_index = ReadAs<std::int32_t>(payload).value_or(0);
      break;
    case IFLA_LINKINFO:
      if (const auto kind = FindAttribute(payload, IFLA_INFO_KIND)) link.kind = ReadString(*kind);
      break;
    case IFLA_PROP_LIST:
      ReadAltNames(payload, link.alt_names);
      break;
    case IFLA_PARENT_DEV_NAME:
      link.parent_device = ReadString(payload);
      break;
    case IFLA_PARENT_DEV_BUS_NAME:
      link.parent_bus = ReadString(payload);
      break;
    case IFLA_PHYS_PORT_NAME:
      link.port_name = ReadString(payload);
      break;
    case IFLA_PHYS_SWITCH_ID:
      link.switch_id = FormatHex(payload);
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<Link> ParseLink(const Message& message) {
  const auto info = ReadAs<ifinfomsg>(message.body);
  if (message.header.nlmsg_type != RTM_NEWLINK || !info) return std::nullopt;
  // Bridges also report their ports' bridge side under this family, as a second message per link.
  if (info->ifi_family != AF_UNSPEC) return std::nullopt;
  Link link{.index = info->ifi_index, .flags = info->ifi_flags};
  LinkAttributeCursor cursor(message.body.subspan(sizeof(ifinfomsg)));
  while (const auto attribute = cursor.Next()) ReadLinkAttribute(*attribute, link);
  if (link.name.empty()) return std::nullopt;
  return link;
}

}  // namespace multus
