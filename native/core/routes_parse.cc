#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/address_text.h"
#include "core/routes.h"

namespace multus {

namespace {

std::string AnyAddress(int family) { return family == AF_INET ? "0.0.0.0" : "::"; }

/// RTA_VIA: a family of two bytes, then the address.
std::string FormatVia(Bytes payload) {
  const auto family = ReadAs<std::uint16_t>(payload);
  if (!family) return {};
  return FormatIp(*family, payload.subspan(sizeof(*family)));
}

/// What a route and a next hop of a multipath route have in common.
void ReadHopAttribute(const Attribute& attribute, Route& route) {
  if (attribute.type == RTA_GATEWAY) route.gateway = FormatIp(route.family, attribute.payload);
  if (attribute.type == RTA_VIA) route.gateway = FormatVia(attribute.payload);
}

std::vector<Route> SplitHops(const Route& common, Bytes hops) {
  std::vector<Route> routes;
  while (const auto hop = ReadAs<rtnexthop>(hops)) {
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > hops.size()) break;
    Route route = common;
    route.multipath = true;
    route.index = hop->rtnh_ifindex;
    AttributeCursor cursor(hops.first(hop->rtnh_len).subspan(sizeof(rtnexthop)));
    while (const auto attribute = cursor.Next()) ReadHopAttribute(*attribute, route);
    routes.push_back(std::move(route));
    const std::size_t aligned = (hop->rtnh_len + std::size_t{3}) & ~std::size_t{3};
    hops = hops.subspan(std::min(aligned, hops.size()));
  }
  return routes;
}

}  // namespace

std::vector<Route> ParseRoute(const Message& message) {
  const auto info = ReadAs<rtmsg>(message.body);
  if (message.header.nlmsg_type != RTM_NEWROUTE || !info) return {};
  if (info->rtm_family != AF_INET && info->rtm_family != AF_INET6) return {};
  if ((info->rtm_flags & RTM_F_CLONED) != 0) return {};
  Route route{.family = info->rtm_family,
              .dst = AnyAddress(info->rtm_family),
              .table = info->rtm_table,
              .scope = info->rtm_scope,
              .protocol = info->rtm_protocol,
              .type = info->rtm_type,
              .tos = info->rtm_tos};
  std::optional<Bytes> hops;
  AttributeCursor cursor(message.body.subspan(sizeof(rtmsg)));
  while (const auto attribute = cursor.Next()) {
    const Bytes payload = attribute->payload;
    ReadHopAttribute(*attribute, route);
    switch (attribute->type) {
      case RTA_DST:
        route.dst = FormatIp(route.family, payload);
        break;
      case RTA_OIF:
        route.index = ReadAs<std::int32_t>(payload).value_or(0);
        break;
      case RTA_TABLE:  // The header's eight bits are RT_TABLE_COMPAT beyond 255.
        route.table = ReadAs<std::uint32_t>(payload).value_or(route.table);
        break;
      case RTA_PRIORITY:
        route.priority = ReadAs<std::uint32_t>(payload).value_or(0);
        break;
      case RTA_PREFSRC:
        route.src = FormatIp(route.family, payload);
        break;
      case RTA_MULTIPATH:
        hops = payload;
        break;
      case RTA_NH_ID:
        route.nexthop_id = ReadAs<std::uint32_t>(payload).value_or(0);
        break;
      default:
        break;
    }
  }
  if (route.dst.empty()) return {};
  route.dst.append("/").append(std::to_string(info->rtm_dst_len));
  if (hops) return SplitHops(route, *hops);
  return {std::move(route)};
}

}  // namespace multus
