// Text forms of hardware and IP addresses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/netlink_message.h"

namespace multus {

/// "aa:bb:cc:dd:ee:ff", of any length; '' for no bytes.
std::string FormatMac(Bytes mac);

/// "3f625d68", two digits per byte; '' for no bytes.
std::string FormatHex(Bytes bytes);

/// The bytes of a colon-separated hardware address of 1 to 32 bytes, or nothing when the text is
/// none.
std::optional<Buffer> ParseMac(std::string_view text);

/// An IP address in binary: `family` AF_INET (4 bytes used) or AF_INET6 (16).
struct IpAddress {
  int family = 0;
  std::array<std::byte, 16> bytes{};

  std::size_t size() const;
  Bytes view() const { return Bytes(bytes).first(size()); }
};

/// An IP address with a prefix length that its family allows.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;
};

/// The canonical text of 4 or 16 bytes (inet_ntop); '' when the size does not fit the family.
std::string FormatIp(int family, Bytes address);

/// Either family; nothing when the text is not an address (inet_pton: no leading zeros, no scope
/// id).
std::optional<IpAddress> ParseIp(std::string_view text);

/// "10.0.0.1/24" or "fd00::1/64"; host bits are kept. Nothing when the text is not that.
std::optional<IpPrefix> ParsePrefix(std::string_view text);

}  // namespace multus
