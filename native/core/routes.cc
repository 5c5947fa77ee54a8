#include "core/routes.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/address_text.h"
#include "core/links.h"

namespace multus {

namespace {

constexpr const char* kNewRoute = "RTM_NEWROUTE";
constexpr const char* kDeleteRoute = "RTM_DELROUTE";

Result<Buffer> DumpFamily(Rtnetlink& socket, int family) {
  MessageBuilder request(RTM_GETROUTE, NLM_F_DUMP);
  request.Fixed(rtmsg{.rtm_family = static_cast<unsigned char>(family)});
  return socket.Dump(request, "RTM_GETROUTE");
}

/// One family's main table. Filtered here: asked to filter by a table that is not there yet, as in
/// a new namespace, the kernel fails.
Result<std::vector<Route>> ListFamily(Rtnetlink& socket, int family) {
  auto reply = DumpFamily(socket, family);
  if (!reply.ok()) return std::move(reply.error());
  std::vector<Route> routes;
  MessageCursor cursor(reply.value());
  while (const auto message = cursor.Next()) {
    for (Route& route : ParseRoute(*message)) {
      // A kernel without IPv6 answers for IPv6 with every family that it has.
      if (route.family == family && route.table == RT_TABLE_MAIN) {
        routes.push_back(std::move(route));
      }
    }
  }
  return routes;
}

Error BadRoute(const RouteSpec& spec, const std::string& what) {
  return Error{.code = EINVAL,
               .syscall = kNewRoute,
               .detail = "cannot add the route to \"" + spec.dst + "\": " + what};
}

/// The gateway, or a list of next hops' attributes; in RTA_VIA when it is of the other family.
void AddGateway(MessageBuilder& request, int family, const IpAddress& gateway) {
  if (gateway.family == family) {
    request.Add(RTA_GATEWAY, gateway.view());
    return;
  }
  const auto via_family = static_cast<std::uint16_t>(gateway.family);
  Buffer via(sizeof(via_family));
  std::memcpy(via.data(), &via_family, sizeof(via_family));
  via.insert(via.end(), gateway.view().begin(), gateway.view().end());
  request.Add(RTA_VIA, via);
}

void AddMetrics(MessageBuilder& request, const RouteSpec& spec) {
  if (!spec.mtu && !spec.advmss) return;
  const std::size_t nest = request.BeginNest(RTA_METRICS | NLA_F_NESTED);
  if (spec.mtu) request.AddU32(RTAX_MTU, *spec.mtu);
  if (spec.advmss) request.AddU32(RTAX_ADVMSS, *spec.advmss);
  request.EndNest(nest);
}

/// The kernel wants an IPv4 route without gateway in scope link; IPv6 ignores the scope.
std::uint8_t DefaultScope(const RouteSpec& spec) {
  return spec.family == AF_INET && spec.gateway.empty() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

Result<MessageBuilder> AddRequest(const RouteSpec& spec) {
  const auto dst = ParsePrefix(spec.dst);
  if (!dst || dst->address.family != spec.family) {
    return BadRoute(spec, "the destination is not a prefix of its family");
  }
  MessageBuilder request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  request.Fixed(rtmsg{.rtm_family = static_cast<unsigned char>(spec.family),
                      .rtm_dst_len = dst->length,
                      .rtm_table = RT_TABLE_UNSPEC,  // RTA_TABLE says it, with 32 bits.
                      .rtm_protocol = RTPROT_BOOT,
                      .rtm_scope = spec.scope.value_or(DefaultScope(spec)),
                      .rtm_type = RTN_UNICAST,
                      .rtm_flags = spec.onlink ? unsigned{RTNH_F_ONLINK} : 0U});
  request.AddU32(RTA_TABLE, spec.table.value_or(RT_TABLE_MAIN));
  if (dst->length > 0) request.Add(RTA_DST, dst->address.view());
  if (!spec.gateway.empty()) {
    const auto gateway = ParseIp(spec.gateway);
    if (!gateway) return BadRoute(spec, "the gateway \"" + spec.gateway + "\" is not an address");
    AddGateway(request, spec.family, *gateway);
  }
  if (!spec.src.empty()) {
    const auto src = ParseIp(spec.src);
    if (!src || src->family != spec.family) {
      return BadRoute(spec, "the source \"" + spec.src + "\" is not an address of its family");
    }
    request.Add(RTA_PREFSRC, src->view());
  }
  request.AddU32(RTA_OIF, static_cast<std::uint32_t>(spec.index));
  if (spec.priority) request.AddU32(RTA_PRIORITY, *spec.priority);
  AddMetrics(request, spec);
  return request;
}

/// Names the route by all that the kernel matches on. A multipath route is named without its hops:
/// then all go. One over a nexthop object is named by the object alone: the kernel finds it by
/// nothing that the object has, not even by the type, which a dump gives as the object's.
MessageBuilder DeleteRequest(const Route& route) {
  MessageBuilder request(RTM_DELROUTE, NLM_F_ACK);
  request.Fixed(rtmsg{.rtm_family = static_cast<unsigned char>(route.family),
                      .rtm_tos = route.tos,
                      .rtm_table = RT_TABLE_UNSPEC,
                      .rtm_protocol = route.protocol,
                      .rtm_scope = route.scope,
                      .rtm_type = route.nexthop_id != 0 ? std::uint8_t{RTN_UNSPEC} : route.type});
  request.AddU32(RTA_TABLE, route.table);
  if (route.priority != 0) request.AddU32(RTA_PRIORITY, route.priority);
  if (route.nexthop_id != 0) {
    request.AddU32(RTA_NH_ID, route.nexthop_id);
    return request;
  }
  if (route.multipath) return request;
  if (route.index != 0) request.AddU32(RTA_OIF, static_cast<std::uint32_t>(route.index));
  if (const auto gateway = ParseIp(route.gateway)) AddGateway(request, route.family, *gateway);
  return request;
}

/// Every kernel before 4.x shows IPv6's built-in "nothing else matched" entry as a route; it cannot
/// be deleted.
bool IsDeletableDefault(const Route& route) {
  const bool is_default = route.dst == "0.0.0.0/0" || route.dst == "::/0";
  return is_default && (route.type != RTN_UNREACHABLE || route.protocol != RTPROT_KERNEL);
}

bool IsSameHop(const Route& a, const Route& b) {
  return a.family == b.family && a.dst == b.dst && a.gateway == b.gateway && a.index == b.index &&
         a.table == b.table && a.priority == b.priority;
}

/// What a dump tells of a nexthop object beside its id; in a request it contradicts the id.
bool IsOfNexthopObject(std::uint16_t type) {
  return type == RTA_OIF || type == RTA_GATEWAY || type == RTA_VIA || type == RTA_ENCAP ||
         type == RTA_ENCAP_TYPE;
}

/// A request for the route of a dump with another metric. Copied, not built from what we know of
/// it: MTU, flags and whatever else the route has must stay. `hop` is the only one that is kept.
MessageBuilder WithMetric(const Message& message, const Route& hop, std::uint16_t type,
                          std::uint16_t flags, std::uint32_t metric) {
  rtmsg info = ReadAs<rtmsg>(message.body).value_or(rtmsg{});
  info.rtm_flags &= RTNH_F_ONLINK;  // The others are the kernel's own, which it refuses.
  MessageBuilder request(type, flags);
  request.Fixed(info);
  AttributeCursor cursor(message.body.subspan(sizeof(rtmsg)));
  while (const auto attribute = cursor.Next()) {
    if (hop.nexthop_id != 0 && IsOfNexthopObject(attribute->type)) continue;
    switch (attribute->type) {
      case RTA_PRIORITY:
      case RTA_CACHEINFO:
      case RTA_MULTIPATH:
        break;
      default:
        request.Add(attribute->type, attribute->payload);
        break;
    }
  }
  if (hop.multipath) {
    request.AddU32(RTA_OIF, static_cast<std::uint32_t>(hop.index));
    if (const auto gateway = ParseIp(hop.gateway)) AddGateway(request, hop.family, *gateway);
  }
  request.AddU32(RTA_PRIORITY, metric);
  return request;
}

/// Add it with the new metric, then delete it with the old one: a refused addition changes nothing.
Result<Unit> MoveHop(Rtnetlink& socket, const Message& message, const Route& hop,
                     std::uint32_t metric) {
  MessageBuilder add =
      WithMetric(message, hop, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, metric);
  auto added = socket.Change(add, kNewRoute);
  if (!added.ok()) return added;
  // With metric 0 an IPv4 deletion matches any; the kernel takes the lowest, which is the old one.
  MessageBuilder remove = WithMetric(message, hop, RTM_DELROUTE, NLM_F_ACK, hop.priority);
  return socket.Change(remove, kDeleteRoute);
}

}  // namespace

Result<std::vector<Route>> ListRoutes(Rtnetlink& socket) {
  std::vector<Route> all;
  for (const int family : {AF_INET, AF_INET6}) {
    auto routes = ListFamily(socket, family);
    if (!routes.ok()) return routes;
    for (Route& route : routes.value()) all.push_back(std::move(route));
  }
  return all;
}

Result<Unit> AddRoute(Rtnetlink& socket, const RouteSpec& spec) {
  auto request = AddRequest(spec);
  if (!request.ok()) return DescribeLinkError(socket, spec.index, std::move(request.error()));
  auto added = socket.Change(request.value(), kNewRoute);
  if (!added.ok()) {
    Error& error = added.error();
    std::string route = spec.dst + (spec.gateway.empty() ? "" : " via " + spec.gateway);
    error.detail = error.detail.empty() ? std::move(route) : route + ": " + error.detail;
    return DescribeLinkError(socket, spec.index, std::move(error));
  }
  return added;
}

Result<std::vector<Route>> DeleteDefaultRoutes(Rtnetlink& socket, int family) {
  auto routes = ListFamily(socket, family);
  if (!routes.ok()) return routes;
  std::vector<Route> deleted;
  for (Route& route : routes.value()) {
    if (!IsDeletableDefault(route)) continue;
    MessageBuilder request = DeleteRequest(route);
    auto done = socket.Change(request, kDeleteRoute);
    // A multipath route's first hop takes its other hops along; anything else may have raced us.
    if (!done.ok() && done.error().code == ESRCH) {
      if (route.multipath && !deleted.empty()) deleted.push_back(std::move(route));
      continue;
    }
    if (!done.ok()) return DescribeLinkError(socket, route.index, std::move(done.error()));
    deleted.push_back(std::move(route));
  }
  return deleted;
}

Result<Unit> SetRouteMetric(Rtnetlink& socket, const Route& route, std::uint32_t metric) {
  const auto describe = [&](Error error) {
    const std::string words = route.dst + " via " + route.gateway;
    error.detail = error.detail.empty() ? words : words + ": " + error.detail;
    return DescribeLinkError(socket, route.index, std::move(error));
  };
  auto reply = DumpFamily(socket, route.family);
  if (!reply.ok()) return std::move(reply.error());
  MessageCursor cursor(reply.value());
  while (const auto message = cursor.Next()) {
    for (const Route& hop : ParseRoute(*message)) {
      if (!IsSameHop(hop, route)) continue;
      // IPv4 and nexthop objects have no way to take one hop out; no plugin can report such a one.
      if (hop.multipath && (hop.family == AF_INET || hop.nexthop_id != 0)) {
        return describe(Error{.code = EOPNOTSUPP, .syscall = kNewRoute, .detail = "several hops"});
      }
      auto moved = MoveHop(socket, *message, hop, metric);
      if (!moved.ok()) return describe(std::move(moved.error()));
      return moved;
    }
  }
  return describe(Error{.code = ESRCH, .syscall = kNewRoute});
}

}  // namespace multus
