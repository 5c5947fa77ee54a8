// Settings of virtual functions, made on their physical function.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/result.h"
#include "core/rtnetlink.h"

namespace multus {

struct VfMac {
  std::string mac;  ///< Six bytes as text; all zero leaves the choice to the VF.
};

struct VfVlan {
  std::uint32_t vlan = 0;  ///< 0 = untagged. The kernel cuts it to 16 bits, `qos` to 8.
  std::uint32_t qos = 0;
  std::uint16_t protocol = 0x8100;  ///< Ethertype, 0x8100 or 0x88a8.
};

/// In Mbit/s, 0 = no limit.
struct VfRate {
  std::uint32_t min = 0;
  std::uint32_t max = 0;
};

struct VfSpoofCheck {
  bool on = false;
};

struct VfTrust {
  bool on = false;
};

struct VfLinkState {
  std::uint32_t state = 0;  ///< 0 auto, 1 enable, 2 disable.
};

using VfChange = std::variant<VfMac, VfVlan, VfRate, VfSpoofCheck, VfTrust, VfLinkState>;

/// Set one thing of one VF. One at a time, because the kernel takes several in an order of its own
/// and keeps those before the first that the driver refuses. Errors name the VF and what was set:
/// EOPNOTSUPP when the driver cannot do it, EPROTONOSUPPORT for a VLAN protocol it does not know,
/// EINVAL for a value or a VF that it does not have.
Result<Unit> SetVf(Rtnetlink& socket, int index, std::uint32_t vf, const VfChange& change);

}  // namespace multus
