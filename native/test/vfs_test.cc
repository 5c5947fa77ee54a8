#include "core/vfs.h"

#include <linux/rtnetlink.h>

#include "core/links.h"
#include "test/bytes.h"
#include "test/test.h"
#include "test/vf_message.h"

namespace multus::test {

namespace {

VfList Parse(const Buffer& bytes) { return ParseVfList(FirstMessage(bytes)).value_or(VfList{}); }

/// A message with one VF of the given attributes alone.
VfList ParseOne(const std::vector<std::pair<std::uint16_t, Buffer>>& attributes) {
  MessageBuilder builder(RTM_NEWLINK, 0);
  builder.Fixed(ifinfomsg{}).AddU32(IFLA_NUM_VF, 1);
  const std::size_t list = builder.BeginNest(IFLA_VFINFO_LIST);
  const std::size_t info = builder.BeginNest(IFLA_VF_INFO);
  for (const auto& [type, payload] : attributes) builder.Add(type, payload);
  builder.EndNest(info);
  builder.EndNest(list);
  return Parse(Finished(builder));
}

/// Every VF is there under its own number with its own MAC, and the PF kept its own.
void ExpectAllRecovered(const VfMessage& message) {
  const Buffer bytes = message.Build();
  const VfList list = Parse(bytes);
  EXPECT(!list.truncated);
  EXPECT_EQ(list.num_vfs, message.count);
  EXPECT_EQ(list.vfs.size(), message.count - message.skipped.size());
  std::size_t at = 0;
  for (std::uint32_t vf = 0; vf < message.count; ++vf) {
    if (message.skipped.contains(vf)) continue;
    ASSERT(at < list.vfs.size());
    EXPECT_EQ(list.vfs[at].index, vf);
    EXPECT_EQ(list.vfs[at].vlan, 100 + vf % 1000);
    ++at;
  }
  const auto link = ParseLink(FirstMessage(bytes));
  ASSERT(link.has_value());
  EXPECT_EQ(link->mac, kPfMac);
  EXPECT_EQ(link->permanent_mac, kPfPermanentMac);
  EXPECT_EQ(link->parent_device, "0000:01:00.0");
}

/// Change the 16-bit length of the VF list.
void PatchListLength(Buffer& bytes, std::uint16_t length) {
  AttributeCursor cursor(Bytes(bytes).subspan(sizeof(nlmsghdr) + sizeof(ifinfomsg)));
  while (const auto attribute = cursor.Next()) {
    if (attribute->type != IFLA_NUM_VF) continue;
    const std::size_t offset = bytes.size() - cursor.rest().size();
    std::memcpy(bytes.data() + offset, &length, sizeof(length));
    return;
  }
}

}  // namespace

TEST(ParseVfListRefusesOtherAndShortMessages) {
  EXPECT(!ParseVfList(Message{}).has_value());
  const Buffer brief = RawMessage(RTM_NEWLINK, 0, Buffer(15));
  EXPECT(!ParseVfList(FirstMessage(brief)).has_value());
}

TEST(ParseVfListOfLinkWithoutParentDevice) {
  const VfList list = Parse(RawMessage(RTM_NEWLINK, 0, BytesOf(ifinfomsg{})));
  EXPECT(!list.num_vfs.has_value());
  EXPECT(list.queryable);
  EXPECT(list.vfs.empty());
}

TEST(ParseVfListOfDriverWithoutQuery) {
  // VFs exist, but no list at all: "none" would be a lie.
  MessageBuilder builder(RTM_NEWLINK, 0);
  builder.Fixed(ifinfomsg{}).AddU32(IFLA_NUM_VF, 8);
  const VfList list = Parse(Finished(builder));
  EXPECT_EQ(list.num_vfs, 8U);
  EXPECT(!list.queryable);
}

TEST(ParseVfListOfNicWithoutVfs) {
  MessageBuilder builder(RTM_NEWLINK, 0);
  builder.Fixed(ifinfomsg{}).AddU32(IFLA_NUM_VF, 0);
  const VfList list = Parse(Finished(builder));
  EXPECT_EQ(list.num_vfs, 0U);
  EXPECT(list.queryable);
}

TEST(ParseVfListTakesEmptyList) {
  const VfList list = Parse(VfMessage{.count = 0}.Build());
  EXPECT(list.queryable);
  EXPECT(!list.truncated);
  EXPECT(list.vfs.empty());
}

TEST(ParseVfListReadsEveryField) {
  const VfList list = Parse(VfMessage{.count = 3}.Build());
  ASSERT(list.vfs.size() == 3);
  const Vf& vf = list.vfs[2];
  EXPECT_EQ(vf.index, 2);
  EXPECT_EQ(vf.mac, std::string("02:00:00:00:00:02"));
  EXPECT_EQ(vf.vlan, 102U);
  EXPECT_EQ(vf.qos, 3U);
  EXPECT_EQ(vf.vlan_protocol, 0x8100);
  EXPECT_EQ(vf.min_tx_rate, 10U);
  EXPECT_EQ(vf.max_tx_rate, 1000U);
  EXPECT_EQ(vf.spoof_check, true);
  EXPECT_EQ(vf.trust, false);
  EXPECT_EQ(vf.link_state, 2U);
  EXPECT(!vf.node_guid.has_value());
}

TEST(ParseVfListTakesMinusOneForNotReported) {
  const VfList list = Parse(VfMessage{.count = 1,
                                      .spoof_check = 0xffffffff,
                                      .rss_query = 0xffffffff,
                                      .trust = 0xffffffff,
                                      .link_state = 0xffffffff}
                                .Build());
  ASSERT(list.vfs.size() == 1);
  EXPECT(!list.vfs[0].spoof_check.has_value());
  EXPECT(!list.vfs[0].rss_query.has_value());
  EXPECT(!list.vfs[0].trust.has_value());
  EXPECT(!list.vfs[0].link_state.has_value());
}

TEST(ParseVfListTakesIndexFromFieldNotPosition) {
  const VfList list = Parse(VfMessage{.count = 4, .skipped = {0, 2}}.Build());
  ASSERT(list.vfs.size() == 2);
  EXPECT_EQ(list.vfs[0].index, 1);
  EXPECT_EQ(list.vfs[0].mac, std::string("02:00:00:00:00:01"));
  EXPECT_EQ(list.vfs[1].index, 3);
  EXPECT_EQ(list.num_vfs, 4U);
  EXPECT(!list.truncated);
}

TEST(ParseVfListTakesProtocolZeroFor8021Q) {
  EXPECT_EQ(Parse(VfMessage{.count = 1, .vlan_protocol = 0}.Build()).vfs.at(0).vlan_protocol,
            0x8100);
  EXPECT_EQ(Parse(VfMessage{.count = 1, .vlan_protocol = 0x88a8}.Build()).vfs.at(0).vlan_protocol,
            0x88a8);
}

TEST(ParseVfListFallsBackToVlanWithoutList) {
  const VfList list = Parse(VfMessage{.count = 1, .vlan_list = false}.Build());
  ASSERT(list.vfs.size() == 1);
  EXPECT_EQ(list.vfs[0].vlan, 100U);
  EXPECT_EQ(list.vfs[0].qos, 3U);
  EXPECT(!list.vfs[0].vlan_protocol.has_value());
}

TEST(ParseVfListPrefersVlanListOverVlan) {
  MessageBuilder vlan_list(0, 0);
  vlan_list.Add(IFLA_VF_VLAN_INFO,
                BytesOf(ifla_vf_vlan_info{.vf = 0, .vlan = 4095, .vlan_proto = 0xa888}));
  const Buffer nested = Finished(vlan_list);
  const auto inner = Bytes(nested).subspan(16);
  const VfList list = ParseOne({{IFLA_VF_VLAN_LIST, Buffer(inner.begin(), inner.end())},
                                {IFLA_VF_VLAN, BytesOf(ifla_vf_vlan{.vf = 0, .vlan = 7})}});
  ASSERT(list.vfs.size() == 1);
  EXPECT_EQ(list.vfs[0].vlan, 4095U);  // mlx4's "guest may tag"; handed on as it is.
  EXPECT_EQ(list.vfs[0].vlan_protocol, 0x88a8);
}

TEST(ParseVfListReadsOldRate) {
  const VfList list = ParseOne({{IFLA_VF_TX_RATE, BytesOf(ifla_vf_tx_rate{.vf = 0, .rate = 50})}});
  ASSERT(list.vfs.size() == 1);
  EXPECT_EQ(list.vfs[0].max_tx_rate, 50U);
  EXPECT(!list.vfs[0].min_tx_rate.has_value());
  EXPECT(!list.vfs[0].mac.has_value());
}

TEST(ParseVfListLeavesOutVfWithoutNumber) {
  EXPECT(ParseOne({{IFLA_VF_BROADCAST, Buffer(32)}}).vfs.empty());
  EXPECT(ParseOne({{IFLA_VF_MAC, Buffer(35)}}).vfs.empty());
}

TEST(ParseVfListReadsInfinibandGuids) {
  const VfList list = Parse(VfMessage{.count = 2, .guids = true}.Build());
  ASSERT(list.vfs.size() == 2);
  EXPECT_EQ(list.vfs[1].node_guid, std::string("11:22:33:44:55:66:77:01"));
  EXPECT_EQ(list.vfs[1].port_guid, std::string("aa:bb:cc:dd:ee:ff:00:01"));
  EXPECT_EQ(list.vfs[1].mac.value_or("").size(), 20 * 3 - 1);
}

TEST(VfMessageHasTheSizesOfTheKernel) {
  const std::size_t base = VfMessage{.count = 0}.Build().size();
  EXPECT_EQ(VfMessage{.count = 1}.Build().size() - base, 196);
  EXPECT_EQ((VfMessage{.count = 1, .stats = true}.Build().size() - base), 296);
  EXPECT_EQ((VfMessage{.count = 1, .guids = true}.Build().size() - base), 236);
}

TEST(ParseVfListRecoversFromWrapWithStatistics) {
  for (const std::uint32_t count : {221U, 222U, 256U, 443U, 512U, 1024U}) {
    ExpectAllRecovered({.count = count, .stats = true});
  }
}

TEST(ParseVfListRecoversFromWrapWithoutStatistics) {
  for (const std::uint32_t count : {334U, 335U, 512U, 669U, 1024U, 4096U}) {
    ExpectAllRecovered({.count = count});
  }
}

TEST(ParseVfListRecoversFromWrapOfInfiniband) {
  for (const std::uint32_t count : {277U, 278U})
    ExpectAllRecovered({.count = count, .guids = true});
}

TEST(ParseVfListRecoversFromWrapWithSkippedVfs) {
  ExpectAllRecovered({.count = 512, .skipped = {0, 17, 400}});
  ExpectAllRecovered({.count = 512, .skipped = {511}});
  ExpectAllRecovered({.count = 334, .skipped = {333}});
}

TEST(ParseVfListRecoversWhenLengthWrapsBelowAHeader) {
  // 49 * N = 16383 (mod 16384): the list is 4 bytes short of a multiple of 65536, so its length
  // reads 0.
  std::uint32_t count = 1;
  while ((count * 196 + 4) % 65536 != 0) ++count;
  ExpectAllRecovered({.count = count});
}

TEST(ParseVfListSaysTruncatedWhenLengthDoesNotAgree) {
  for (const int wrong : {0, 3, 4, 8, 200, 1000, 65532}) {
    Buffer bytes = VfMessage{.count = 335}.Build();
    PatchListLength(bytes, static_cast<std::uint16_t>(wrong));
    const VfList list = Parse(bytes);
    EXPECT(list.truncated);
    EXPECT_EQ(list.num_vfs, 335U);
    EXPECT(list.vfs.size() < 335);
    const auto link = ParseLink(FirstMessage(bytes));
    ASSERT(link.has_value());
    EXPECT_EQ(link->mac, kPfMac);
  }
}

TEST(ParseVfListSurvivesEveryCut) {
  const Buffer whole = VfMessage{.count = 3, .stats = true, .guids = true}.Build();
  for (std::size_t size = 16; size < whole.size(); ++size) {
    const nlmsghdr header{.nlmsg_type = RTM_NEWLINK};
    const auto list =
        ParseVfList(Message{.header = header, .body = Bytes(whole).first(size).subspan(16)});
    if (list) EXPECT(list->vfs.size() <= 3);
  }
}

}  // namespace multus::test
