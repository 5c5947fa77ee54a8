#include "test/bytes.h"

#include <charconv>

namespace multus::test {

Buffer FromHex(std::string_view hex) {
  Buffer bytes;
  for (std::size_t at = 0; at + 2 <= hex.size(); at += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + at, hex.data() + at + 2, value, 16);
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

Message FirstMessage(Bytes bytes) {
  MessageCursor cursor(bytes);
  return cursor.Next().value_or(Message{});
}

Buffer Finished(MessageBuilder& builder) {
  const Bytes bytes = builder.Finish(kSequence, kPort);
  return {bytes.begin(), bytes.end()};
}

Buffer RawMessage(std::uint16_t type, std::uint16_t flags, Bytes body) {
  const nlmsghdr header{.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + body.size()),
                        .nlmsg_type = type,
                        .nlmsg_flags = flags,
                        .nlmsg_seq = kSequence,
                        .nlmsg_pid = kPort};
  return Join({BytesOf(header), body});
}

Buffer Join(std::initializer_list<Bytes> parts) {
  Buffer all;
  for (const Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace multus::test
