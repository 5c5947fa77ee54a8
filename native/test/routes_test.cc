#include "core/routes.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <vector>

#include "test/bytes.h"
#include "test/fake_kernel.h"
#include "test/fixtures/messages.h"
#include "test/test.h"

namespace multus::test {

namespace {

/// The recorded routes to `dst` outside the local table.
std::vector<Route> Find(std::string_view hex, const std::string& dst) {
  const Buffer bytes = FromHex(hex);
  std::vector<Route> found;
  MessageCursor cursor(bytes);
  while (const auto message = cursor.Next()) {
    for (Route& route : ParseRoute(*message)) {
      if (route.dst == dst && route.table != RT_TABLE_LOCAL) found.push_back(std::move(route));
    }
  }
  return found;
}

/// Answers a dump with recorded routes, and deletes default routes by a script.
class RouteKernel : public FakeKernel {
 public:
  Buffer routes;
  std::vector<int> errors;             ///< Of the changes in turn; success after the last.
  std::vector<std::uint32_t> metrics;  ///< That the changes name, in turn.
  std::vector<unsigned> flags;         ///< rtm_flags of the changes, in turn.

 protected:
  int Apply(const Message& message) override {
    const auto info = ReadAs<rtmsg>(message.body).value_or(rtmsg{});
    const Bytes attributes = message.body.subspan(sizeof(rtmsg));
    const auto metric =
        ReadAs<std::uint32_t>(FindAttribute(attributes, RTA_PRIORITY).value_or(Bytes{}));
    metrics.push_back(metric.value_or(0));
    flags.push_back(info.rtm_flags);
    const auto names = [&](std::uint16_t type) {
      return FindAttribute(attributes, type).has_value();
    };
    const bool by_hop = names(RTA_GATEWAY) || names(RTA_VIA) || names(RTA_OIF) ||
                        names(RTA_ENCAP) || names(RTA_ENCAP_TYPE);
    const bool by_object = names(RTA_NH_ID);
    log.push_back(std::to_string(info.rtm_dst_len) + (by_hop ? " by hop" : "") +
                  (by_object ? " by object" : "") + (by_hop || by_object ? "" : " whole"));
    return log.size() <= errors.size() ? errors[log.size() - 1] : 0;
  }

  Buffer Answer(const Message& /*message*/) override { return routes; }
};

/// A default route of the main table with two hops.
Buffer MultipathDefault() {
  MessageBuilder builder(RTM_NEWROUTE, 0);
  builder.Fixed(rtmsg{.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST});
  const Buffer hop = BytesOf(rtnexthop{.rtnh_len = sizeof(rtnexthop), .rtnh_ifindex = 4});
  builder.Add(RTA_MULTIPATH, Join({hop, hop}));
  return Finished(builder);
}

/// A default route of the main table over nexthop object 7, as the kernel shows it with its hop.
Buffer ObjectDefault() {
  MessageBuilder builder(RTM_NEWROUTE, 0);
  builder.Fixed(rtmsg{.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST});
  builder.AddU32(RTA_NH_ID, 7);
  builder.Add(RTA_ENCAP, BytesOf(std::uint64_t{0}));
  builder.Add(RTA_ENCAP_TYPE, BytesOf(std::uint16_t{0}));
  builder.AddU32(RTA_GATEWAY, 0x0100010a);
  builder.AddU32(RTA_OIF, 4);
  return Finished(builder);
}

}  // namespace

TEST(ParseRouteRefusesOtherShortAndClonedMessages) {
  EXPECT(ParseRoute(Message{}).empty());
  const Buffer brief = RawMessage(RTM_NEWROUTE, 0, Buffer(sizeof(rtmsg) - 1));
  EXPECT(ParseRoute(FirstMessage(brief)).empty());
  const Buffer cloned = RawMessage(
      RTM_NEWROUTE, 0, BytesOf(rtmsg{.rtm_family = AF_INET6, .rtm_flags = RTM_F_CLONED}));
  EXPECT(ParseRoute(FirstMessage(cloned)).empty());
  // Multicast routes come under families of their own.
  const Buffer multicast = RawMessage(RTM_NEWROUTE, 0, BytesOf(rtmsg{.rtm_family = 128}));
  EXPECT(ParseRoute(FirstMessage(multicast)).empty());
}

TEST(ParseRouteReadsDefault) {
  const auto routes = Find(kRouteDump4, "0.0.0.0/0");
  ASSERT(routes.size() == 1);
  EXPECT_EQ(routes[0].gateway, "10.1.0.1");
  EXPECT_EQ(routes[0].index, 3);
  EXPECT_EQ(routes[0].priority, 100);
  EXPECT_EQ(routes[0].src, "10.1.0.2");
  EXPECT_EQ(routes[0].table, RT_TABLE_MAIN);
  EXPECT_EQ(routes[0].protocol, RTPROT_BOOT);
  EXPECT_EQ(routes[0].type, RTN_UNICAST);
  EXPECT_EQ(routes[0].scope, RT_SCOPE_UNIVERSE);
  const auto ipv6 = Find(kRouteDump6, "::/0");
  ASSERT(ipv6.size() == 1);
  EXPECT_EQ(ipv6[0].gateway, "fd00::1");
  EXPECT_EQ(ipv6[0].priority, 50);
}

TEST(ParseRouteReadsConnectedSubnet) {
  const auto routes = Find(kRouteDump4, "10.1.0.0/24");
  ASSERT(routes.size() == 1);
  EXPECT_EQ(routes[0].gateway, "");
  EXPECT_EQ(routes[0].scope, RT_SCOPE_LINK);
  EXPECT_EQ(routes[0].protocol, RTPROT_KERNEL);
}

TEST(ParseRouteReadsGatewayOfOtherFamily) {
  const auto routes = Find(kRouteDump4, "172.16.0.0/12");
  ASSERT(routes.size() == 1);
  EXPECT_EQ(routes[0].gateway, "fd00::9");
}

TEST(ParseRouteSplitsMultipath) {
  const auto routes = Find(kRouteDump4, "10.20.0.0/16");
  ASSERT(routes.size() == 2);
  EXPECT(routes[0].multipath && routes[1].multipath);
  EXPECT_EQ(routes[0].gateway, "10.1.0.7");
  EXPECT_EQ(routes[1].gateway, "10.1.0.8");
  EXPECT_EQ(routes[1].index, 3);
  EXPECT_EQ(Find(kRouteDump6, "2001:db8::/32").size(), 2);
}

TEST(ParseRouteReadsTablesBeyondEightBits) {
  const auto routes = Find(kRouteDump4, "10.21.0.0/16");
  ASSERT(routes.size() == 1);
  EXPECT_EQ(routes[0].table, 1000);
}

TEST(ParseRouteReadsRouteWithoutLink) {
  const auto routes = Find(kRouteDump4, "10.22.0.0/16");
  ASSERT(routes.size() == 1);
  EXPECT_EQ(routes[0].type, RTN_BLACKHOLE);
  EXPECT_EQ(routes[0].index, 0);
}

TEST(ParseRouteEndsAtMalformedHop) {
  MessageBuilder builder(RTM_NEWROUTE, 0);
  builder.Fixed(rtmsg{.rtm_family = AF_INET});
  const Buffer good = BytesOf(rtnexthop{.rtnh_len = sizeof(rtnexthop), .rtnh_ifindex = 4});
  const Buffer endless = BytesOf(rtnexthop{.rtnh_len = 0});
  const Buffer beyond = BytesOf(rtnexthop{.rtnh_len = 100});
  for (const Buffer& bad : {endless, beyond}) {
    MessageBuilder with_bad = builder;
    with_bad.Add(RTA_MULTIPATH, Join({good, bad}));
    const Buffer bytes = Finished(with_bad);
    const auto routes = ParseRoute(FirstMessage(bytes));
    ASSERT(routes.size() == 1);
    EXPECT_EQ(routes[0].index, 4);
  }
}

TEST(DeleteDefaultRoutesTakesOnlyDefaultsOfMainTable) {
  RouteKernel kernel;
  kernel.routes = FromHex(kRouteDump4);
  const auto deleted = DeleteDefaultRoutes(kernel, AF_INET);
  ASSERT(deleted.ok());
  ASSERT(deleted.value().size() == 1);
  EXPECT_EQ(deleted.value()[0].gateway, "10.1.0.1");
  EXPECT(kernel.log == std::vector<std::string>{"0 by hop"});
}

TEST(DeleteDefaultRoutesReportsEveryHopOfMultipath) {
  RouteKernel kernel;
  kernel.routes = MultipathDefault();
  kernel.errors = {0, ESRCH};  // The first deletion takes all hops along.
  const auto deleted = DeleteDefaultRoutes(kernel, AF_INET);
  ASSERT(deleted.ok());
  EXPECT_EQ(deleted.value().size(), 2);
  EXPECT_EQ(kernel.log.at(0), "0 whole");
}

// The kernel finds such a route by its object only: it would stay, beside the one that was wanted.
TEST(DeleteDefaultRoutesNamesNexthopObjectInsteadOfItsHop) {
  RouteKernel kernel;
  kernel.routes = ObjectDefault();
  const auto deleted = DeleteDefaultRoutes(kernel, AF_INET);
  ASSERT(deleted.ok());
  ASSERT(deleted.value().size() == 1);
  EXPECT_EQ(deleted.value()[0].nexthop_id, 7U);
  EXPECT(kernel.log == std::vector<std::string>{"0 by object"});
}

TEST(DeleteDefaultRoutesTakesVanishedRouteForGone) {
  RouteKernel kernel;
  kernel.routes = FromHex(kRouteDump6);
  kernel.errors = {ESRCH};
  const auto deleted = DeleteDefaultRoutes(kernel, AF_INET6);
  ASSERT(deleted.ok());
  EXPECT(deleted.value().empty());
}

TEST(DeleteDefaultRoutesReportsRefusal) {
  RouteKernel kernel;
  kernel.routes = FromHex(kRouteDump4);
  kernel.errors = {EPERM};
  EXPECT_EQ(DeleteDefaultRoutes(kernel, AF_INET).error().code, EPERM);
}

TEST(SetRouteMetricAddsBeforeItDeletes) {
  RouteKernel kernel;
  kernel.routes = FromHex(kRouteDump4);
  const auto routes = Find(kRouteDump4, "0.0.0.0/0");
  ASSERT(SetRouteMetric(kernel, routes.at(0), 300).ok());
  EXPECT(kernel.metrics == (std::vector<std::uint32_t>{300, 100}));
  kernel.metrics.clear();
  kernel.errors = {0, 0, EEXIST};
  EXPECT_EQ(SetRouteMetric(kernel, routes.at(0), 300).error().code, EEXIST);
  EXPECT(kernel.metrics == std::vector<std::uint32_t>{300});  // Nothing is deleted then.
}

TEST(SetRouteMetricNamesNexthopObjectInsteadOfItsHop) {
  RouteKernel kernel;
  kernel.routes = ObjectDefault();
  const auto routes = ParseRoute(FirstMessage(kernel.routes));
  ASSERT(SetRouteMetric(kernel, routes.at(0), 300).ok());
  EXPECT(kernel.log == (std::vector<std::string>{"0 by object", "0 by object"}));
}

TEST(SetRouteMetricDropsFlagsThatTheKernelWouldRefuse) {
  RouteKernel kernel;
  MessageBuilder builder(RTM_NEWROUTE, 0);
  builder.Fixed(rtmsg{.rtm_family = AF_INET,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_type = RTN_UNICAST,
                      .rtm_flags = RTNH_F_ONLINK | RTNH_F_LINKDOWN});
  builder.AddU32(RTA_OIF, 4);
  kernel.routes = Finished(builder);
  const auto routes = ParseRoute(FirstMessage(kernel.routes));
  ASSERT(SetRouteMetric(kernel, routes.at(0), 7).ok());
  EXPECT(kernel.flags == (std::vector<unsigned>{RTNH_F_ONLINK, RTNH_F_ONLINK}));
}

TEST(SetRouteMetricRefusesVanishedRouteAndIpv4Hop) {
  RouteKernel kernel;
  kernel.routes = MultipathDefault();
  const auto hops = ParseRoute(FirstMessage(kernel.routes));
  EXPECT_EQ(SetRouteMetric(kernel, hops.at(0), 7).error().code, EOPNOTSUPP);
  Route gone = hops.at(0);
  gone.gateway = "10.1.0.1";
  EXPECT_EQ(SetRouteMetric(kernel, gone, 7).error().code, ESRCH);
  EXPECT(kernel.log.empty());
}

TEST(AddRouteRefusesBadText) {
  RouteKernel kernel;
  kernel.routes = FromHex(kRouteDump4);
  for (const RouteSpec& spec :
       {RouteSpec{.family = AF_INET, .dst = "10.0.0.0", .index = 3},
        RouteSpec{.family = AF_INET, .dst = "fd00::/8", .index = 3},
        RouteSpec{.family = AF_INET6, .dst = "::/0", .gateway = "fe80::1%eth0", .index = 3},
        RouteSpec{.family = AF_INET, .dst = "0.0.0.0/0", .index = 3, .src = "::1"}}) {
    EXPECT_EQ(AddRoute(kernel, spec).error().code, EINVAL);
  }
  EXPECT(kernel.log.empty());
}

}  // namespace multus::test
