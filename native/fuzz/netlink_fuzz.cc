// Feeds every parser of netlink bytes: none may crash, hang, or read beyond its input.
//
//   clang++-16 -std=c++20 -g -O1 -fno-exceptions -fno-rtti -fsanitize=fuzzer,address,undefined
//   -Inative \
//     native/fuzz/netlink_fuzz.cc native/core/*.cc -o build/netlink_fuzz
//   mkdir -p build/corpus && build/netlink_fuzz -max_total_time=60 build/corpus native/fuzz/corpus
//
// The seeds in native/fuzz/corpus are the messages of native/test/fixtures, and lists of VFs.
#include <linux/rtnetlink.h>

#include <cstdlib>
#include <string_view>

#include "core/address_text.h"
#include "core/addresses.h"
#include "core/link_attributes.h"
#include "core/links.h"
#include "core/netlink_message.h"
#include "core/netlink_reply.h"
#include "core/netns_id.h"
#include "core/routes.h"
#include "core/vfs.h"

namespace multus {

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void ParseMessage(const Message& message) {
  if (const auto link = ParseLink(message)) Require(!link->name.empty());
  if (const auto list = ParseVfList(message)) {
    // A VF takes at least a header, and an attribute with its number.
    Require(list->vfs.size() <= message.body.size() / 12);
  }
  if (const auto address = ParseAddress(message)) Require(!address->text.empty());
  for (const Route& route : ParseRoute(message)) Require(!route.dst.empty());
  Require(ParseErrorMessage(message).code >= 0);
  Require(ParseDoneMessage(message).code >= 0);
}

/// The bytes as the body of each message that we know, so that a mutation need not guess lengths.
void ParseAsBody(Bytes body) {
  for (const int type :
       {int{RTM_NEWLINK}, int{RTM_NEWADDR}, int{RTM_NEWROUTE}, NLMSG_ERROR, NLMSG_DONE}) {
    nlmsghdr header{.nlmsg_type = static_cast<std::uint16_t>(type), .nlmsg_flags = NLM_F_ACK_TLVS};
    ParseMessage({.header = header, .body = body});
    header.nlmsg_flags |= NLM_F_CAPPED;
    ParseMessage({.header = header, .body = body});
  }
}

/// As answers to a request: what is accepted must be whole messages again.
void Collect(Bytes datagram) {
  const auto first = ReadAs<nlmsghdr>(datagram).value_or(nlmsghdr{});
  using Kind = ReplyCollector::Kind;
  for (const Kind kind : {Kind::kAck, Kind::kOne, Kind::kDump}) {
    ReplyCollector collector(kind, "RTM_FUZZ", first.nlmsg_seq, first.nlmsg_pid);
    collector.Feed(datagram);
    if (!collector.finished()) continue;
    const auto reply = collector.Take();
    if (!reply.ok()) continue;
    MessageCursor cursor(reply.value());
    while (const auto message = cursor.Next()) ParseMessage(*message);
    Require(!cursor.malformed());
  }
}

/// A kernel that answers everything with the same bytes.
class EchoKernel : public Rtnetlink {
 public:
  explicit EchoKernel(Bytes answer) : answer_(answer.begin(), answer.end()) {}

  Result<Unit> Change(MessageBuilder& /*request*/, const char* /*syscall*/) override {
    return Unit{};
  }
  Result<Buffer> Get(MessageBuilder& /*request*/, const char* /*syscall*/) override {
    return answer_;
  }
  Result<Buffer> Dump(MessageBuilder& /*request*/, const char* /*syscall*/) override {
    return answer_;
  }

 private:
  Buffer answer_;
};

/// As answers to questions about another namespace.
void AskOtherNetns(Bytes answer) {
  EchoKernel kernel(answer);
  if (const auto nsid = NetnsId(kernel, 3); nsid.ok()) Require(nsid.value() >= 0);
  const auto link = GetLinkByAnyName(kernel, "eth0", 1);
  const auto list = GetVfs(kernel, 1, 1);
  const auto all = ListLinks(kernel, 1);
  // Who answers of one link there does so in a list, too.
  if (link.ok() && all.ok()) Require(!all.value().empty());
  (void)list;
}

/// Attributes built from what was read read the same.
void RoundTrip(Bytes attributes) {
  MessageBuilder builder(0, 0);
  AttributeCursor cursor(attributes);
  std::size_t count = 0;
  while (const auto attribute = cursor.Next()) {
    builder.Add(attribute->type, attribute->payload);
    ++count;
  }
  MessageCursor messages(builder.Finish(0, 0));
  const auto message = messages.Next();
  Require(message.has_value());
  AttributeCursor again(message->body);
  while (again.Next()) --count;
  Require(count == 0 && !again.malformed());
}

void ParseText(std::string_view text) {
  if (const auto mac = ParseMac(text)) Require(ParseMac(FormatMac(*mac)) == mac);
  (void)ParsePrefix(text);
  if (const auto ip = ParseIp(text)) {
    const auto again = ParseIp(FormatIp(ip->family, ip->view()));
    Require(again && again->bytes == ip->bytes);
  }
}

}  // namespace

}  // namespace multus

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const multus::Bytes bytes = std::as_bytes(std::span(data, size));
  multus::MessageCursor cursor(bytes);
  while (const auto message = cursor.Next()) multus::ParseMessage(*message);
  multus::ParseAsBody(bytes);
  multus::Collect(bytes);
  multus::AskOtherNetns(bytes);
  multus::RoundTrip(bytes);
  multus::ParseText({reinterpret_cast<const char*>(data), size});
  return 0;
}
