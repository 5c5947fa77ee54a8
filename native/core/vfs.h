// Virtual functions of a physical function, as its driver reports them through RTM_GETLINK.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/netlink_message.h"
#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

/// One VF. Nothing where the driver did not report the value, which it says by leaving it out or by
/// -1.
struct Vf {
  std::uint32_t index = 0;
  std::optional<std::string> mac;  ///< As set on the PF; all zero = left to the VF.
  std::optional<std::uint32_t> vlan;
  std::optional<std::uint32_t> qos;
  std::optional<std::uint16_t> vlan_protocol;  ///< Ethertype, 0x8100 or 0x88a8.
  std::optional<std::uint32_t> min_tx_rate;    ///< Mbit/s, 0 = no limit.
  std::optional<std::uint32_t> max_tx_rate;
  std::optional<bool> spoof_check;
  std::optional<bool> trust;
  std::optional<bool> rss_query;
  std::optional<std::uint32_t> link_state;  ///< 0 auto, 1 enable, 2 disable.
  std::optional<std::string> node_guid;
  std::optional<std::string> port_guid;
};

/// The VFs of one link.
struct VfList {
  std::optional<std::uint32_t> num_vfs;  ///< Nothing when the link has no parent device.
  bool queryable = true;  ///< False: there are VFs, and the driver cannot tell of them.
  bool truncated =
      false;  ///< The list's length wrapped and its end was not found (see LinkAttributeCursor).
  std::vector<Vf> vfs;  ///< Those reported; the driver may skip some.
};

/// The VF list in an RTM_NEWLINK; nothing for another message or a short one.
std::optional<VfList> ParseVfList(const Message& message);

/// The VFs of a PF, by one get with RTEXT_FILTER_VF, in the socket's namespace or in another by its
/// number (see netns_id.h). Never by a dump: a dump leaves out links whose message does not fit.
Result<VfList> GetVfs(Rtnetlink& socket, int index, std::optional<int> nsid = std::nullopt);

}  // namespace multus
