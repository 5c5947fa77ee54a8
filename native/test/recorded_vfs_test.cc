// Lists of VFs as the kernel sent them, recorded by test/vm/record-vfs.ts. Linux 7.2.12 for
// netdevsim: 4 VFs with settings of each kind, and those around the counts where the list's 16-bit
// length wraps, VF N with VLAN N + 1. Linux 6.1 for igb, which does not report all. Mask 1 has
// statistics, mask 9 has not. What neither says (a VF left out, protocol 0, GUIDs) is built in
// vfs_test.cc.
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "core/links.h"
#include "core/vfs.h"
#include "test/bytes.h"
#include "test/test.h"

namespace multus::test {

namespace {

constexpr const char* kPfMac = "02:00:00:00:0a:01";

VfList Parse(Bytes bytes) { return ParseVfList(FirstMessage(bytes)).value_or(VfList{}); }

/// What a reader gets that takes the list's length at its word.
std::size_t StatedLength(Bytes bytes) {
  const Bytes attributes = FirstMessage(bytes).body.subspan(sizeof(ifinfomsg));
  return FindAttribute(attributes, IFLA_VFINFO_LIST).value_or(Bytes{}).size();
}

void ExpectAll(const char* file, std::uint32_t count) {
  const Buffer bytes = Fixture(file);
  const VfList list = Parse(bytes);
  EXPECT_EQ(list.num_vfs, count);
  EXPECT(list.queryable);
  EXPECT(!list.truncated);
  ASSERT(list.vfs.size() == count);
  for (std::uint32_t vf = 0; vf < count; ++vf) {
    EXPECT_EQ(list.vfs[vf].index, vf);
    EXPECT_EQ(list.vfs[vf].vlan, vf + 1);
    EXPECT_EQ(list.vfs[vf].mac, std::string("00:00:00:00:00:00"));
  }
  const auto link = ParseLink(FirstMessage(bytes));
  ASSERT(link.has_value());
  EXPECT_EQ(link->mac, kPfMac);
  EXPECT_EQ(link->parent_bus, "netdevsim");
  EXPECT_EQ(link->parent_device, "netdevsim1");
}

}  // namespace

TEST(RecordedVfsOfEachKindOfSetting) {
  for (const char* file : {"vfs-4-mask-1.bin", "vfs-4-mask-9.bin"}) {
    const VfList list = Parse(Fixture(file));
    EXPECT_EQ(list.num_vfs, 4U);
    ASSERT(list.vfs.size() == 4);
    EXPECT_EQ(list.vfs[0].mac, std::string("02:00:00:00:00:10"));
    EXPECT_EQ(list.vfs[0].vlan, 210U);
    EXPECT_EQ(list.vfs[0].qos, 2U);
    EXPECT_EQ(list.vfs[0].vlan_protocol, 0x8100);
    EXPECT_EQ(list.vfs[0].min_tx_rate, 10U);
    EXPECT_EQ(list.vfs[0].max_tx_rate, 100U);
    EXPECT_EQ(list.vfs[0].spoof_check, true);
    EXPECT_EQ(list.vfs[0].trust, true);
    EXPECT_EQ(list.vfs[0].rss_query, false);
    EXPECT_EQ(list.vfs[1].vlan_protocol, 0x88a8);
    EXPECT_EQ(list.vfs[1].link_state, 2U);
    EXPECT_EQ(list.vfs[1].spoof_check, false);
    EXPECT_EQ(list.vfs[2].vlan, 4095U);
    EXPECT_EQ(list.vfs[2].link_state, 1U);
    EXPECT_EQ(list.vfs[3].vlan, 0U);
    EXPECT_EQ(list.vfs[3].link_state, 0U);
    EXPECT(!list.vfs[3].node_guid.has_value());
  }
}

TEST(RecordedVfsOfDriverThatDoesNotReportAll) {
  const Buffer bytes = Fixture("vfs-2-igb-mask-9.bin");
  const VfList list = Parse(bytes);
  EXPECT_EQ(list.num_vfs, 2U);
  ASSERT(list.vfs.size() == 2);
  EXPECT_EQ(list.vfs[0].vlan, 210U);
  EXPECT_EQ(list.vfs[0].qos, 2U);
  EXPECT_EQ(list.vfs[1].vlan, 4095U);
  for (const Vf& vf : list.vfs) {
    EXPECT_EQ(vf.vlan_protocol, 0x8100);
    EXPECT_EQ(vf.spoof_check, true);
    EXPECT_EQ(vf.trust, false);
    EXPECT(!vf.rss_query.has_value());  // -1, which ip leaves out and other readers take for "on".
  }
  const auto link = ParseLink(FirstMessage(bytes));
  ASSERT(link.has_value());
  EXPECT_EQ(link->parent_bus, "pci");
  EXPECT_EQ(link->parent_device, "0000:01:00.0");
}

TEST(RecordedVfsThatFit) {
  ExpectAll("vfs-221-mask-1.bin", 221);
  ExpectAll("vfs-334-mask-9.bin", 334);
}

TEST(RecordedVfsWhoseLengthWrapped) {
  ExpectAll("vfs-222-mask-1.bin", 222);
  ExpectAll("vfs-335-mask-9.bin", 335);
  ExpectAll("vfs-512-mask-9.bin", 512);
}

TEST(RecordedWrapsAreWraps) {
  // Or the tests above would prove nothing.
  EXPECT_EQ(StatedLength(Fixture("vfs-221-mask-1.bin")), 221 * 296);
  EXPECT_EQ(StatedLength(Fixture("vfs-222-mask-1.bin")), 222 * 296 - 65536);
  EXPECT_EQ(StatedLength(Fixture("vfs-334-mask-9.bin")), 334 * 196);
  EXPECT_EQ(StatedLength(Fixture("vfs-335-mask-9.bin")), 335 * 196 - 65536);
  EXPECT_EQ(StatedLength(Fixture("vfs-512-mask-9.bin")), 512 * 196 - 65536);
}

TEST(RecordedVfsThatWereCutAreNeverTakenForAll) {
  const Buffer whole = Fixture("vfs-335-mask-9.bin");
  const nlmsghdr header{.nlmsg_type = RTM_NEWLINK};
  AttributeCursor cursor(FirstMessage(whole).body.subspan(sizeof(ifinfomsg)));
  for (auto one = cursor.Next(); one && one->type != IFLA_NUM_VF; one = cursor.Next()) continue;
  const std::size_t start_of_list = whole.size() - cursor.rest().size();
  const std::size_t end_of_list = start_of_list + sizeof(nlattr) + 335 * 196;
  ASSERT(start_of_list < 2000 && end_of_list < whole.size());
  for (std::size_t size = start_of_list + 8; size < end_of_list; size += 97) {
    const Bytes body = Bytes(whole).first(size).subspan(sizeof(nlmsghdr));
    const auto list = ParseVfList({.header = header, .body = body});
    ASSERT(list.has_value());
    EXPECT(list->truncated);
    for (const Vf& vf : list->vfs) EXPECT_EQ(vf.vlan, vf.index + 1);
  }
}

}  // namespace multus::test
