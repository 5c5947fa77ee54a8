// Unicast routes of the main table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/netlink_message.h"
#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

/// One route, or one of the next hops of a multipath route.
struct Route {
  int family = 0;       ///< AF_INET or AF_INET6.
  std::string dst;      ///< "10.0.0.0/24"; the default route is "0.0.0.0/0" or "::/0".
  std::string gateway;  ///< '' for none; may be of the other family (RTA_VIA).
  int index = 0;        ///< Output interface, 0 for none.
  std::uint32_t table = 0;
  std::uint32_t priority = 0;  ///< The metric.
  std::uint8_t scope = 0;      ///< RT_SCOPE_*.
  std::uint8_t protocol = 0;   ///< RTPROT_*.
  std::uint8_t type = 0;       ///< RTN_*.
  std::uint8_t tos = 0;
  std::string src;               ///< Preferred source, '' for none.
  bool multipath = false;        ///< One of several next hops.
  std::uint32_t nexthop_id = 0;  ///< Of the nexthop object that has the hops, 0 for none.
};

/// A route to add. Unset fields take the kernel's or iproute2's defaults.
struct RouteSpec {
  int family = 0;
  std::string dst;
  std::string gateway;
  int index = 0;
  std::optional<std::uint32_t> table;  ///< Main.
  std::optional<std::uint32_t> priority;
  std::string src;
  std::optional<std::uint32_t> mtu;
  std::optional<std::uint32_t> advmss;
  std::optional<std::uint8_t> scope;  ///< IPv4: link without a gateway, else universe.
  bool onlink = false;
};

/// The routes in an RTM_NEWROUTE: one, or one per next hop. None for another message, another
/// family, or a cloned (cached) route.
std::vector<Route> ParseRoute(const Message& message);

/// The main table's routes, IPv4 first.
Result<std::vector<Route>> ListRoutes(Rtnetlink& socket);

/// Add a route. EINVAL when a text of `spec` is not an address, EEXIST when there is such a route,
/// ENETUNREACH when the gateway is on no connected subnet.
Result<Unit> AddRoute(Rtnetlink& socket, const RouteSpec& spec);

/// Delete the main table's default routes of AF_INET or AF_INET6; the result is those deleted. One
/// that is gone already is no error. On an error, those before it are deleted.
Result<std::vector<Route>> DeleteDefaultRoutes(Rtnetlink& socket, int family);

/// Give a route of the main table another metric; everything else of it stays. `route` is one of
/// ListRoutes(); of an IPv6 route with several hops only that hop moves. EEXIST when there is such
/// a route with that metric, ESRCH when `route` is gone, EOPNOTSUPP for one of several hops of an
/// IPv4 route or of a nexthop object.
Result<Unit> SetRouteMetric(Rtnetlink& socket, const Route& route, std::uint32_t metric);

}  // namespace multus
