// Messages for tests: from hex, or built.
#pragma once

#include <string>
#include <string_view>

#include "core/netlink_message.h"

namespace multus::test {

/// Sequence number and port id of every message in the tests, recorded or built.
inline constexpr std::uint32_t kSequence = 7;
inline constexpr std::uint32_t kPort = 4242;

/// The bytes that `hex` spells, two digits each.
Buffer FromHex(std::string_view hex);

/// The bytes of native/test/fixtures/NAME; none, and a failed test, when it cannot be read.
Buffer Fixture(const std::string& name);

/// The first message of `bytes`; it views them. The empty message when there is none.
Message FirstMessage(Bytes bytes);

/// The finished bytes of a built message, as the kernel would send it.
Buffer Finished(MessageBuilder& builder);

/// A message with flags exactly as given (a builder always sets NLM_F_REQUEST) and a body of any
/// bytes.
Buffer RawMessage(std::uint16_t type, std::uint16_t flags, Bytes body);

/// The bytes of a plain value.
template <typename T>
Buffer BytesOf(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

/// One after the other.
Buffer Join(std::initializer_list<Bytes> parts);

}  // namespace multus::test
