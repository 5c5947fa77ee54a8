#include "test/bytes.h"

#include <charconv>
#include <filesystem>
#include <fstream>

#include "test/test.h"

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

Buffer Fixture(const std::string& name) {
  // The program is in build/Release, wherever it is run from.
  std::error_code missing;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", missing);
  const auto root = program.parent_path().parent_path().parent_path();
  const auto path = root / "native" / "test" / "fixtures" / name;
  Buffer bytes(std::filesystem::exists(path) ? std::filesystem::file_size(path, missing) : 0);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (bytes.empty() || !file) Fail(__FILE__, __LINE__, "cannot read " + path.string());
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
