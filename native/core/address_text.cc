#include "core/address_text.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <charconv>

namespace multus {

namespace {

constexpr std::size_t kMaxHardwareAddress = 32;  // MAX_ADDR_LEN of the kernel.

constexpr std::size_t SizeOf(int family) {
  if (family == AF_INET) return 4;
  if (family == AF_INET6) return 16;
  return 0;
}

/// A whole unsigned number and nothing else.
std::optional<unsigned> ParseNumber(std::string_view text, int base) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

void AppendHex(std::byte byte, std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
  text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
}

}  // namespace

std::string FormatMac(Bytes mac) {
  std::string text;
  text.reserve(mac.size() * 3);
  for (const std::byte byte : mac) {
    if (!text.empty()) text += ':';
    AppendHex(byte, text);
  }
  return text;
}

std::string FormatHex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) AppendHex(byte, text);
  return text;
}

std::optional<Buffer> ParseMac(std::string_view text) {
  Buffer mac;
  for (std::size_t at = 0; at + 2 <= text.size(); at += 3) {
    const auto value = ParseNumber(text.substr(at, 2), 16);
    if (!value) return std::nullopt;
    mac.push_back(static_cast<std::byte>(*value));
    if (at + 2 == text.size()) {
      if (mac.size() > kMaxHardwareAddress) return std::nullopt;
      return mac;
    }
    if (text[at + 2] != ':') return std::nullopt;
  }
  return std::nullopt;
}

std::size_t IpAddress::size() const { return SizeOf(family); }

std::string FormatIp(int family, Bytes address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (SizeOf(family) == 0 || address.size() != SizeOf(family)) return {};
  if (inet_ntop(family, address.data(), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address{.family = terminated.find(':') == std::string::npos ? AF_INET : AF_INET6};
  if (inet_pton(address.family, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::optional<IpPrefix> ParsePrefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = ParseIp(text.substr(0, slash));
  const auto length = ParseNumber(text.substr(slash + 1), 10);
  if (!address || !length || *length > address->size() * 8) return std::nullopt;
  return IpPrefix{.address = *address, .length = static_cast<std::uint8_t>(*length)};
}

}  // namespace multus
