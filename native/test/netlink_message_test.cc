#include "core/netlink_message.h"

#include <linux/rtnetlink.h>

#include "test/bytes.h"
#include "test/fixtures/messages.h"
#include "test/test.h"

namespace multus::test {

namespace {

/// An attribute header with any length, followed by `payload` bytes of 0xee.
Buffer AttributeBytes(std::uint16_t length, std::uint16_t type, std::size_t payload) {
  return Join(
      {BytesOf(nlattr{.nla_len = length, .nla_type = type}), Buffer(payload, std::byte{0xee})});
}

}  // namespace

TEST(AttributeCursorRefusesHeaderCutShort) {
  const Buffer bytes(3);
  AttributeCursor cursor(bytes);
  EXPECT(!cursor.Next().has_value());
  EXPECT(cursor.malformed());
}

TEST(AttributeCursorRefusesLengthBelowHeader) {
  for (const int length : {0, 1, 3}) {
    const Buffer bytes = AttributeBytes(static_cast<std::uint16_t>(length), 1, 8);
    AttributeCursor cursor(bytes);
    EXPECT(!cursor.Next().has_value());  // A length of 0 must not loop for ever either.
    EXPECT(cursor.malformed());
  }
}

TEST(AttributeCursorRefusesLengthBeyondEnd) {
  const Buffer bytes = AttributeBytes(13, 1, 8);
  AttributeCursor cursor(bytes);
  EXPECT(!cursor.Next().has_value());
  EXPECT(cursor.malformed());
  EXPECT(!cursor.Next().has_value());
}

TEST(AttributeCursorTakesLastAttributeWithoutPadding) {
  const Buffer bytes = AttributeBytes(5, 9, 1);
  AttributeCursor cursor(bytes);
  const auto attribute = cursor.Next();
  ASSERT(attribute.has_value());
  EXPECT_EQ(attribute->type, 9);
  EXPECT_EQ(attribute->payload.size(), 1);
  EXPECT(!cursor.Next().has_value());
  EXPECT(!cursor.malformed());
}

TEST(AttributeCursorMasksNestedBit) {
  const Buffer bytes = AttributeBytes(4, NLA_F_NESTED | 18, 0);
  AttributeCursor cursor(bytes);
  const auto attribute = cursor.Next();
  ASSERT(attribute.has_value());
  EXPECT_EQ(attribute->type, 18);
}

TEST(AttributeCursorKeepsWhatPrecedesGarbage) {
  const Buffer bytes = Join({AttributeBytes(8, 1, 4), AttributeBytes(2, 2, 0)});
  AttributeCursor cursor(bytes);
  EXPECT(cursor.Next().has_value());
  EXPECT(!cursor.Next().has_value());
  EXPECT(cursor.malformed());
  EXPECT_EQ(cursor.rest().size(), 4);
}

TEST(ReadAsRefusesWhatDoesNotFit) {
  const Buffer bytes(7);
  EXPECT(!ReadAs<std::uint32_t>(bytes, 4).has_value());
  EXPECT(!ReadAs<std::uint32_t>(bytes, 8).has_value());
  EXPECT(!ReadAs<std::uint32_t>(bytes, SIZE_MAX).has_value());
  EXPECT(ReadAs<std::uint32_t>(bytes, 3).has_value());
}

TEST(ReadStringEndsAtNulOrEnd) {
  EXPECT_EQ(ReadString(FromHex("657468300065")), "eth0");
  EXPECT_EQ(ReadString(FromHex("65746830")), "eth0");
  EXPECT_EQ(ReadString(Bytes{}), "");
}

TEST(MessageCursorRefusesLengthBeyondBuffer) {
  const Buffer bytes = FromHex(kLinkVeth);
  // As a receive buffer one byte too small leaves it.
  MessageCursor cursor(Bytes(bytes).first(bytes.size() - 1));
  EXPECT(!cursor.Next().has_value());
  EXPECT(cursor.malformed());
}

TEST(MessageCursorRefusesLengthBelowHeader) {
  Buffer bytes = RawMessage(RTM_NEWLINK, 0, {});
  bytes[0] = std::byte{15};
  MessageCursor cursor(bytes);
  EXPECT(!cursor.Next().has_value());
  EXPECT(cursor.malformed());
}

TEST(MessageCursorWalksDatagramsLaidEndToEnd) {
  const Buffer bytes = FromHex(kAddressDump);
  MessageCursor cursor(bytes);
  int count = 0;
  while (cursor.Next()) ++count;
  EXPECT(!cursor.malformed());
  EXPECT(count > 6);
}

TEST(MessageBuilderIsReadBackAsBuilt) {
  MessageBuilder builder(RTM_NEWLINK, NLM_F_ACK);
  builder.Fixed(ifinfomsg{.ifi_index = 5});
  builder.AddU32(4, 1500).AddString(3, "eth0");
  const std::size_t outer = builder.BeginNest(18);
  const std::size_t inner = builder.BeginNest(1);
  builder.AddU32(2, 7);
  builder.EndNest(inner);
  builder.EndNest(outer);
  const Buffer bytes = Finished(builder);
  const Message message = FirstMessage(bytes);
  EXPECT_EQ(message.header.nlmsg_len, bytes.size());
  EXPECT_EQ(message.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
  EXPECT_EQ(message.header.nlmsg_seq, kSequence);
  EXPECT_EQ(message.header.nlmsg_pid, kPort);
  const Bytes attributes = message.body.subspan(sizeof(ifinfomsg));
  EXPECT_EQ(ReadAs<std::uint32_t>(FindAttribute(attributes, 4).value_or(Bytes{})), 1500U);
  const Bytes name = FindAttribute(attributes, 3).value_or(Bytes{});
  EXPECT_EQ(name.size(), 5);  // With its NUL.
  EXPECT_EQ(ReadString(name), "eth0");
  const Bytes nest = FindAttribute(attributes, 18).value_or(Bytes{});
  const Bytes within = FindAttribute(nest, 1).value_or(Bytes{});
  EXPECT_EQ(ReadAs<std::uint32_t>(FindAttribute(within, 2).value_or(Bytes{})), 7U);
}

TEST(MessageBuilderFinishesAgainWithAnotherSequence) {
  MessageBuilder builder(RTM_GETLINK, NLM_F_DUMP);
  builder.Fixed(ifinfomsg{});
  (void)builder.Finish(1, 2);
  const Message again = FirstMessage(builder.Finish(3, 4));
  EXPECT_EQ(again.header.nlmsg_seq, 3);
  EXPECT_EQ(again.header.nlmsg_pid, 4);
  EXPECT_EQ(again.body.size(), sizeof(ifinfomsg));
}

}  // namespace multus::test
