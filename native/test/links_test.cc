#include "core/links.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "test/bytes.h"
#include "test/fixtures/messages.h"
#include "test/test.h"

namespace multus::test {

namespace {

std::optional<Link> ParseHex(std::string_view hex) {
  const Buffer bytes = FromHex(hex);
  return ParseLink(FirstMessage(bytes));
}

}  // namespace

TEST(ParseLinkRefusesOtherAndShortMessages) {
  EXPECT(!ParseHex(kErrorMtu).has_value());
  const Buffer brief = RawMessage(RTM_NEWLINK, 0, Buffer(sizeof(ifinfomsg) - 1));
  EXPECT(!ParseLink(FirstMessage(brief)).has_value());
  const Buffer nameless = RawMessage(RTM_NEWLINK, 0, BytesOf(ifinfomsg{.ifi_index = 1}));
  EXPECT(!ParseLink(FirstMessage(nameless)).has_value());
}

TEST(ParseLinkRefusesBridgePortMessage) {
  MessageBuilder builder(RTM_NEWLINK, 0);
  builder.Fixed(ifinfomsg{.ifi_family = AF_BRIDGE, .ifi_index = 2}).AddString(3, "veth1");
  const Buffer bytes = Finished(builder);
  EXPECT(!ParseLink(FirstMessage(bytes)).has_value());
}

TEST(ParseLinkReadsVeth) {
  const auto link = ParseHex(kLinkVeth);
  ASSERT(link.has_value());
  EXPECT_EQ(link->index, 3);
  EXPECT_EQ(link->name, "veth0");
  EXPECT_EQ(link->kind, "veth");
  EXPECT_EQ(link->mac, "02:00:00:00:00:01");
  EXPECT_EQ(link->permanent_mac, "");
  EXPECT_EQ(link->mtu, 1500);
  EXPECT((link->flags & IFF_UP) != 0);
  EXPECT_EQ(link->parent_index, 2);
  EXPECT_EQ(link->parent_nsid, -1);
  EXPECT_EQ(link->master_index, 0);
  ASSERT(link->alt_names.size() == 2);
  EXPECT_EQ(link->alt_names[0], "first-alternative-name");
  EXPECT_EQ(link->alt_names[1], "second");
  EXPECT_EQ(link->parent_device, "");
}

TEST(ParseLinkReadsMacvlanAndBridge) {
  const auto macvlan = ParseHex(kLinkMacvlan);
  ASSERT(macvlan.has_value());
  EXPECT_EQ(macvlan->kind, "macvlan");
  EXPECT_EQ(macvlan->mtu, 1400);
  EXPECT_EQ(macvlan->parent_index, 3);
  const auto bridge = ParseHex(kLinkBridge);
  ASSERT(bridge.has_value());
  EXPECT_EQ(bridge->kind, "bridge");
  EXPECT_EQ(bridge->parent_index, 0);
}

TEST(ParseLinkReadsWhatThisKernelHadNoDeviceFor) {
  MessageBuilder builder(RTM_NEWLINK, 0);
  builder.Fixed(ifinfomsg{.ifi_index = 9}).AddString(IFLA_IFNAME, "ens1f0");
  builder.AddU32(IFLA_MASTER, 12).AddU32(IFLA_LINK_NETNSID, 4);
  builder.AddString(IFLA_PARENT_DEV_NAME, "0000:01:00.0");
  builder.AddString(IFLA_PARENT_DEV_BUS_NAME, "pci").AddString(IFLA_PHYS_PORT_NAME, "pf0vf3");
  builder.Add(IFLA_PHYS_SWITCH_ID, FromHex("98039b0012ab"));
  builder.Add(IFLA_PERM_ADDRESS, FromHex("0200000000ff"));
  const Buffer bytes = Finished(builder);
  const auto link = ParseLink(FirstMessage(bytes));
  ASSERT(link.has_value());
  EXPECT_EQ(link->master_index, 12);
  EXPECT_EQ(link->parent_nsid, 4);
  EXPECT_EQ(link->parent_device, "0000:01:00.0");
  EXPECT_EQ(link->parent_bus, "pci");
  EXPECT_EQ(link->port_name, "pf0vf3");
  EXPECT_EQ(link->switch_id, "98039b0012ab");
  EXPECT_EQ(link->permanent_mac, "02:00:00:00:00:ff");
  EXPECT_EQ(link->mac, "");
}

TEST(ParseLinkKeepsDefaultsForShortPayloads) {
  MessageBuilder builder(RTM_NEWLINK, 0);
  builder.Fixed(ifinfomsg{.ifi_index = 9}).AddString(IFLA_IFNAME, "x");
  builder.Add(IFLA_MTU, Buffer(3)).Add(IFLA_LINK, {}).Add(IFLA_LINK_NETNSID, Buffer(1));
  const Buffer bytes = Finished(builder);
  const auto link = ParseLink(FirstMessage(bytes));
  ASSERT(link.has_value());
  EXPECT_EQ(link->mtu, 0);
  EXPECT_EQ(link->parent_index, 0);
  EXPECT_EQ(link->parent_nsid, -1);
}

TEST(ParseLinkSurvivesEveryCut) {
  const Buffer whole = FromHex(kLinkVeth);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes body = Bytes(whole).first(size).subspan(std::min<std::size_t>(size, 16));
    nlmsghdr header{.nlmsg_type = RTM_NEWLINK};
    const auto link = ParseLink(Message{.header = header, .body = body});
    if (link) EXPECT_EQ(link->name, "veth0");
  }
}

}  // namespace multus::test
