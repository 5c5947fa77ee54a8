// RTM_NEWLINK messages of a PF, laid out as the kernel lays them out (rtnl_fill_vfinfo, Linux 7.2):
// order, sizes, and nests without NLA_F_NESTED.
#pragma once

#include <linux/if_link.h>

#include <cstdint>
#include <set>

#include "core/netlink_message.h"

namespace multus::test {

/// What the message says. VF number N has MAC 02:00:00:00:NN:NN (N big-endian) and VLAN 100 + N %
/// 1000.
struct VfMessage {
  std::uint32_t count = 0;
  bool stats = false;               ///< +100 bytes per VF, as without RTEXT_FILTER_SKIP_STATS.
  bool guids = false;               ///< +40 bytes per VF, InfiniBand.
  bool vlan_list = true;            ///< False: a kernel before 4.9.
  std::set<std::uint32_t> skipped;  ///< VFs for which the driver's ndo_get_vf_config fails.
  std::uint16_t vlan_protocol = 0x8100;
  std::uint32_t spoof_check = 1;
  std::uint32_t rss_query = 0xffffffff;
  std::uint32_t trust = 0;
  std::uint32_t link_state = 2;

  /// The whole message; attributes of the PF come before and behind the list.
  Buffer Build() const;
};

/// The PF of a VfMessage.
inline constexpr const char* kPfMac = "0a:00:00:00:00:01";
inline constexpr const char* kPfPermanentMac = "0a:00:00:00:00:02";

/// Add the attributes of one VF, without its VLAN list.
void AddVfBasics(MessageBuilder& builder, std::uint32_t vf, const VfMessage& options);

}  // namespace multus::test
