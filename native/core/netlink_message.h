// Netlink bytes: building a request, walking messages and attributes. Knows nothing of sockets.
//
// Layout and alignment are those of linux/netlink.h: 16-byte header, 4-byte attribute header,
// everything padded to 4 bytes, native byte order. Nothing here casts a pointer: numbers are copied
// out, so no alignment is assumed.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace multus {

using Bytes = std::span<const std::byte>;
using Buffer = std::vector<std::byte>;

/// A copy of the T at `offset`, or nothing when it does not lie wholly inside `bytes`.
template <typename T>
std::optional<T> ReadAs(Bytes bytes, std::size_t offset = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// Text up to the first NUL or the end; netlink strings come with and without a terminator.
std::string_view ReadString(Bytes payload);

/// One attribute. `type` is without the NESTED and BYTEORDER bits; `payload` views the caller's
/// bytes.
struct Attribute {
  std::uint16_t type = 0;
  Bytes payload;
};

/// Walks consecutive attributes. Stops at the end or at the first one that does not fit (libmnl's
/// triple test: header fits, length covers the header, length fits).
class AttributeCursor {
 public:
  explicit AttributeCursor(Bytes bytes) : rest_(bytes) {}

  /// The next attribute, or nothing at the end or at a malformed one.
  std::optional<Attribute> Next();
  /// The bytes not walked yet.
  Bytes rest() const { return rest_; }
  /// True when the walk stopped before the end.
  bool malformed() const { return malformed_; }

 private:
  Bytes rest_;
  bool malformed_ = false;
};

/// Payload of the first attribute of that type, or nothing.
std::optional<Bytes> FindAttribute(Bytes attributes, std::uint16_t type);

/// One netlink message; `body` is what follows the 16-byte header and views the caller's bytes.
struct Message {
  nlmsghdr header{};
  Bytes body;
};

/// Walks the messages of one or more datagrams laid end to end.
class MessageCursor {
 public:
  explicit MessageCursor(Bytes bytes) : rest_(bytes) {}

  /// The next message, or nothing at the end or at a malformed one.
  std::optional<Message> Next();
  /// True when the walk stopped before the end: the buffer was too small, or these are not netlink
  /// bytes.
  bool malformed() const { return malformed_; }

 private:
  Bytes rest_;
  bool malformed_ = false;
};

/// Parse every message of `messages` by `parse`; those that it answers with nothing (another type,
/// too short) are left out.
template <typename T>
std::vector<T> ParseAll(Bytes messages, std::optional<T> (*parse)(const Message&)) {
  std::vector<T> all;
  MessageCursor cursor(messages);
  while (const auto message = cursor.Next()) {
    if (auto value = parse(*message)) all.push_back(std::move(*value));
  }
  return all;
}

/// Builds one request. Attributes follow the fixed header in the order of the calls.
/// Not checked: an attribute payload beyond 65531 bytes (our requests stay below 1 KB).
class MessageBuilder {
 public:
  /// `type` is RTM_*; NLM_F_REQUEST is added to `flags`.
  MessageBuilder(std::uint16_t type, std::uint16_t flags);

  /// Append the fixed header (ifinfomsg, ifaddrmsg, rtmsg); call once, first.
  template <typename T>
  MessageBuilder& Fixed(const T& fixed) {
    static_assert(std::is_trivially_copyable_v<T>);
    Append(std::as_bytes(std::span(&fixed, 1)));
    return *this;
  }

  MessageBuilder& Add(std::uint16_t type, Bytes payload);
  MessageBuilder& AddU32(std::uint16_t type, std::uint32_t value);
  /// With its terminating NUL, as the kernel's NLA_STRING policies accept and NLA_NUL_STRING
  /// demands.
  MessageBuilder& AddString(std::uint16_t type, std::string_view text);

  /// Open a nest; give the result to EndNest. The kernel's strict policies want NLA_F_NESTED in the
  /// type of newer ones.
  std::size_t BeginNest(std::uint16_t type);
  void EndNest(std::size_t nest);

  /// The finished message, with its length, sequence number and port id set. Valid until the next
  /// call.
  Bytes Finish(std::uint32_t sequence, std::uint32_t port);

 private:
  void Append(Bytes bytes);

  Buffer bytes_;
};

}  // namespace multus
