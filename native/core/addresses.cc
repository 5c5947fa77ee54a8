#include "core/addresses.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "core/address_text.h"
#include "core/links.h"

namespace multus {

namespace {

/// The address with all host bits set.
IpAddress Broadcast(const IpPrefix& prefix) {
  IpAddress broadcast = prefix.address;
  for (std::size_t bit = prefix.length; bit < broadcast.size() * 8; ++bit) {
    broadcast.bytes[bit / 8] |= std::byte{0x80} >> static_cast<int>(bit % 8);
  }
  return broadcast;
}

}  // namespace

std::optional<Address> ParseAddress(const Message& message) {
  const auto info = ReadAs<ifaddrmsg>(message.body);
  if (message.header.nlmsg_type != RTM_NEWADDR || !info) return std::nullopt;
  if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return std::nullopt;
  Address address{.index = static_cast<int>(info->ifa_index),
                  .family = info->ifa_family,
                  .prefix_length = info->ifa_prefixlen,
                  .flags = info->ifa_flags,
                  .scope = info->ifa_scope};
  const Bytes attributes = message.body.subspan(sizeof(ifaddrmsg));
  // On a point-to-point link IFA_ADDRESS is the peer; IPv6 sends IFA_LOCAL only there.
  auto ip = FindAttribute(attributes, IFA_LOCAL);
  if (!ip) ip = FindAttribute(attributes, IFA_ADDRESS);
  if (ip) address.text = FormatIp(address.family, *ip);
  if (address.text.empty()) return std::nullopt;
  // The header holds only the first eight bits (IFA_FLAGS since 3.14).
  if (const auto flags = FindAttribute(attributes, IFA_FLAGS)) {
    address.flags = ReadAs<std::uint32_t>(*flags).value_or(address.flags);
  }
  return address;
}

Result<std::vector<Address>> ListAddresses(Rtnetlink& socket) {
  MessageBuilder request(RTM_GETADDR, NLM_F_DUMP);
  request.Fixed(ifaddrmsg{.ifa_family = AF_UNSPEC});
  auto reply = socket.Dump(request, "RTM_GETADDR");
  if (!reply.ok()) return std::move(reply.error());
  return ParseAll(reply.value(), ParseAddress);
}

Result<Unit> AddAddress(Rtnetlink& socket, int index, const std::string& cidr) {
  constexpr const char* kNewAddress = "RTM_NEWADDR";
  const auto prefix = ParsePrefix(cidr);
  if (!prefix) {
    return DescribeLinkError(
        socket, index,
        Error{.code = EINVAL,
              .syscall = kNewAddress,
              .detail = "\"" + cidr + "\" is not an IP address with a prefix length"});
  }
  MessageBuilder request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  request.Fixed(ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(prefix->address.family),
                          .ifa_prefixlen = prefix->length,
                          .ifa_index = static_cast<std::uint32_t>(index)});
  request.Add(IFA_LOCAL, prefix->address.view());
  request.Add(IFA_ADDRESS, prefix->address.view());
  if (prefix->address.family == AF_INET && prefix->length < 31) {
    request.Add(IFA_BROADCAST, Broadcast(*prefix).view());
  }
  auto added = socket.Change(request, kNewAddress);
  if (!added.ok()) {
    if (added.error().detail.empty()) added.error().detail = cidr;
    return DescribeLinkError(socket, index, std::move(added.error()));
  }
  return added;
}

}  // namespace multus
