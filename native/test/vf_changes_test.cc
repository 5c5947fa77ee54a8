// The bytes of each change of a VF, as include/uapi/linux/if_link.h lays them out, and its errors.
#include "core/vf_changes.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "test/bytes.h"
#include "test/fake_kernel.h"
#include "test/test.h"

namespace multus::test {

namespace {

class SettingKernel : public FakeKernel {
 public:
  int refusal = 0;
  int changes = 0;
  Buffer set;  ///< What is inside the one IFLA_VF_INFO of the last change.

 protected:
  int Apply(const Message& message) override {
    ++changes;
    const Bytes attributes = message.body.subspan(sizeof(ifinfomsg));
    AttributeCursor list(FindAttribute(attributes, IFLA_VFINFO_LIST).value_or(Bytes{}));
    const auto info = list.Next();
    if (!info || info->type != IFLA_VF_INFO || list.Next()) return EBADMSG;
    set.assign(info->payload.begin(), info->payload.end());
    return refusal;
  }

  Buffer Answer(const Message& /*message*/) override {
    MessageBuilder builder(RTM_NEWLINK, 0);
    builder.Fixed(ifinfomsg{.ifi_index = 4}).AddString(IFLA_IFNAME, "ens1f0");
    return Finished(builder);
  }
};

/// The attributes that a change sends, header included.
Buffer Sent(const VfChange& change) {
  SettingKernel kernel;
  EXPECT(SetVf(kernel, 4, 3, change).ok());
  return kernel.set;
}

template <typename T>
Buffer AttributeOf(std::uint16_t type, const T& value) {
  const nlattr header{.nla_len = sizeof(nlattr) + sizeof(T), .nla_type = type};
  return Join({BytesOf(header), BytesOf(value)});
}

}  // namespace

TEST(SetVfSendsOneAttributeOfTheKernelsLayout) {
  ifla_vf_mac mac{.vf = 3, .mac = {2, 0, 0, 0, 0, 0x1f}};
  EXPECT(Sent(VfMac{.mac = "02:00:00:00:00:1F"}) == AttributeOf(IFLA_VF_MAC, mac));
  EXPECT(Sent(VfRate{.min = 5, .max = 1000}) ==
         AttributeOf(IFLA_VF_RATE, ifla_vf_rate{.vf = 3, .min_tx_rate = 5, .max_tx_rate = 1000}));
  EXPECT(Sent(VfSpoofCheck{.on = true}) ==
         AttributeOf(IFLA_VF_SPOOFCHK, ifla_vf_spoofchk{.vf = 3, .setting = 1}));
  EXPECT(Sent(VfTrust{.on = false}) ==
         AttributeOf(IFLA_VF_TRUST, ifla_vf_trust{.vf = 3, .setting = 0}));
  EXPECT(Sent(VfLinkState{.state = 2}) ==
         AttributeOf(IFLA_VF_LINK_STATE, ifla_vf_link_state{.vf = 3, .link_state = 2}));
}

TEST(SetVfSendsVlanInPaddedListWithBigEndianProtocol) {
  // 16 bytes with padding: the kernel refuses 14, as other libraries learnt.
  const Buffer sent = Sent(VfVlan{.vlan = 210, .qos = 2, .protocol = 0x88a8});
  EXPECT(sent == FromHex("18000c00"     // IFLA_VF_VLAN_LIST, 24 bytes
                         "14000100"     // IFLA_VF_VLAN_INFO, 20 bytes
                         "03000000"     // VF
                         "d2000000"     // VLAN
                         "02000000"     // QoS
                         "88a80000"));  // protocol, padding
}

TEST(SetVfRefusesOtherThanSixBytesOfMac) {
  SettingKernel kernel;
  for (const char* mac : {"", "x", "02:00:00:00:00", "02:00:00:00:00:01:02",
                          "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01"}) {
    const auto set = SetVf(kernel, 4, 3, VfMac{.mac = mac});
    ASSERT(!set.ok());
    EXPECT_EQ(set.error().code, EINVAL);
    EXPECT(set.error().detail.find("VF 3") == 0);
  }
  EXPECT_EQ(kernel.changes, 0);
}

TEST(SetVfNamesThePfTheVfAndWhatWasRefused) {
  SettingKernel kernel;
  kernel.refusal = EOPNOTSUPP;
  const auto set = SetVf(kernel, 4, 3, VfLinkState{.state = 1});
  ASSERT(!set.ok());
  EXPECT_EQ(set.error().code, EOPNOTSUPP);
  EXPECT_EQ(set.error().syscall, "RTM_SETLINK");
  EXPECT_EQ(set.error().ifname, "ens1f0");
  EXPECT_EQ(set.error().detail, "VF 3, link state");
  EXPECT_EQ(kernel.changes, 1);
}

}  // namespace multus::test
