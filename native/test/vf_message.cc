#include "test/vf_message.h"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

#include "test/bytes.h"

namespace multus::test {

namespace {

std::uint32_t VlanOf(std::uint32_t vf) { return 100 + vf % 1000; }

template <typename T>
void AddStruct(MessageBuilder& builder, std::uint16_t type, const T& value) {
  builder.Add(type, BytesOf(value));
}

ifla_vf_mac MacOf(std::uint32_t vf) {
  ifla_vf_mac mac{.vf = vf};
  mac.mac[0] = 2;
  mac.mac[4] = static_cast<std::uint8_t>(vf >> 8);
  mac.mac[5] = static_cast<std::uint8_t>(vf);
  return mac;
}

void AddGuids(MessageBuilder& builder, std::uint32_t vf) {
  AddStruct(builder, IFLA_VF_IB_NODE_GUID,
            ifla_vf_guid{.vf = vf, .guid = 0x1122334455667700ULL + vf});
  AddStruct(builder, IFLA_VF_IB_PORT_GUID,
            ifla_vf_guid{.vf = vf, .guid = 0xaabbccddeeff0000ULL + vf});
}

void AddVlanList(MessageBuilder& builder, std::uint32_t vf, std::uint16_t protocol) {
  const std::size_t nest = builder.BeginNest(IFLA_VF_VLAN_LIST);
  AddStruct(
      builder, IFLA_VF_VLAN_INFO,
      ifla_vf_vlan_info{.vf = vf, .vlan = VlanOf(vf), .qos = 3, .vlan_proto = htons(protocol)});
  builder.EndNest(nest);
}

void AddStats(MessageBuilder& builder) {
  const std::size_t nest = builder.BeginNest(IFLA_VF_STATS);
  for (const int counter : {1, 2, 3, 4, 5, 6, 8, 9}) {
    builder.Add(static_cast<std::uint16_t>(counter), BytesOf(std::uint64_t{0x0001000100010001}));
  }
  builder.EndNest(nest);
}

}  // namespace

void AddVfBasics(MessageBuilder& builder, std::uint32_t vf, const VfMessage& options) {
  AddStruct(builder, IFLA_VF_MAC, MacOf(vf));
  builder.Add(IFLA_VF_BROADCAST, Buffer(32, std::byte{0xff}));
  AddStruct(builder, IFLA_VF_VLAN, ifla_vf_vlan{.vf = vf, .vlan = VlanOf(vf), .qos = 3});
  AddStruct(builder, IFLA_VF_RATE, ifla_vf_rate{.vf = vf, .min_tx_rate = 10, .max_tx_rate = 1000});
  AddStruct(builder, IFLA_VF_TX_RATE, ifla_vf_tx_rate{.vf = vf, .rate = 1000});
  AddStruct(builder, IFLA_VF_SPOOFCHK, ifla_vf_spoofchk{.vf = vf, .setting = options.spoof_check});
  AddStruct(builder, IFLA_VF_LINK_STATE,
            ifla_vf_link_state{.vf = vf, .link_state = options.link_state});
  AddStruct(builder, IFLA_VF_RSS_QUERY_EN,
            ifla_vf_rss_query_en{.vf = vf, .setting = options.rss_query});
  AddStruct(builder, IFLA_VF_TRUST, ifla_vf_trust{.vf = vf, .setting = options.trust});
}

Buffer VfMessage::Build() const {
  MessageBuilder builder(RTM_NEWLINK, 0);
  const unsigned short hardware = guids ? ARPHRD_INFINIBAND : ARPHRD_ETHER;
  builder.Fixed(ifinfomsg{.ifi_type = hardware, .ifi_index = 4});
  builder.AddString(IFLA_IFNAME, "ens1f0").AddU32(IFLA_MTU, 1500);
  builder.Add(IFLA_ADDRESS, FromHex("0a0000000001"));
  builder.AddU32(IFLA_NUM_VF, count);
  const std::size_t list = builder.BeginNest(IFLA_VFINFO_LIST);
  for (std::uint32_t vf = 0; vf < count; ++vf) {
    if (skipped.contains(vf)) continue;
    const std::size_t info = builder.BeginNest(IFLA_VF_INFO);
    AddVfBasics(builder, vf, *this);
    if (guids) AddGuids(builder, vf);
    if (vlan_list) AddVlanList(builder, vf, vlan_protocol);
    if (stats) AddStats(builder);
    builder.EndNest(info);
  }
  builder.EndNest(list);  // Keeps the low 16 bits of the length, as nla_nest_end() does.
  builder.Add(IFLA_PERM_ADDRESS, FromHex("0a0000000002"));
  builder.AddString(IFLA_PARENT_DEV_NAME, "0000:01:00.0");
  return Finished(builder);
}

}  // namespace multus::test
