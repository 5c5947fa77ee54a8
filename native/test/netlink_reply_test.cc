#include "core/netlink_reply.h"

#include <linux/rtnetlink.h>

#include <cerrno>

#include "test/bytes.h"
#include "test/fixtures/messages.h"
#include "test/test.h"

namespace multus::test {

namespace {

using Kind = ReplyCollector::Kind;

ReplyCollector Collector(Kind kind) { return {kind, "RTM_TEST", kSequence, kPort}; }

Buffer DoneMessage(std::int32_t error, std::uint16_t flags = NLM_F_MULTI) {
  return RawMessage(NLMSG_DONE, flags, BytesOf(error));
}

Buffer ErrorMessage(std::int32_t error) {
  return RawMessage(NLMSG_ERROR, NLM_F_CAPPED, BytesOf(nlmsgerr{.error = error}));
}

/// An error message whose text follows the echoed request.
Buffer ErrorWithText(std::int32_t error, const char* text) {
  MessageBuilder attributes(0, 0);
  attributes.AddString(NLMSGERR_ATTR_MSG, text);
  const Buffer tlvs = Finished(attributes);
  return RawMessage(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS,
                    Join({BytesOf(nlmsgerr{.error = error}), Bytes(tlvs).subspan(16)}));
}

Buffer LinkPart(std::uint16_t flags) {
  return RawMessage(RTM_NEWLINK, flags, BytesOf(ifinfomsg{.ifi_index = 1}));
}

}  // namespace

TEST(ParseErrorMessageReadsTextBehindCappedRequest) {
  const Buffer bytes = FromHex(kErrorMtu);
  const Verdict verdict = ParseErrorMessage(FirstMessage(bytes));
  EXPECT_EQ(verdict.code, EINVAL);
  EXPECT_EQ(verdict.detail, "mtu less than device minimum");
}

TEST(ParseErrorMessageReadsTextBehindWholeRequest) {
  const Buffer bytes = FromHex(kErrorUncapped);
  const Verdict verdict = ParseErrorMessage(FirstMessage(bytes));
  EXPECT_EQ(verdict.code, ERANGE);
  EXPECT_EQ(verdict.detail, "Attribute failed policy validation");
}

TEST(ParseErrorMessageWithoutTextHasNoDetail) {
  const Buffer bytes = FromHex(kErrorNoDevice);
  const Verdict verdict = ParseErrorMessage(FirstMessage(bytes));
  EXPECT_EQ(verdict.code, ENODEV);
  EXPECT_EQ(verdict.detail, "");
}

TEST(ParseErrorMessageKeepsWarningOfSuccess) {
  const Buffer bytes = ErrorWithText(0, "this is deprecated");
  const Verdict verdict = ParseErrorMessage(FirstMessage(bytes));
  EXPECT_EQ(verdict.code, 0);
  EXPECT_EQ(verdict.detail, "this is deprecated");
}

TEST(ParseErrorMessageNamesMissingAttribute) {
  MessageBuilder attributes(0, 0);
  attributes.AddU32(NLMSGERR_ATTR_MISS_TYPE, 3);
  const Buffer tlvs = Finished(attributes);
  const Buffer bytes =
      RawMessage(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS,
                 Join({BytesOf(nlmsgerr{.error = -EINVAL}), Bytes(tlvs).subspan(16)}));
  EXPECT_EQ(ParseErrorMessage(FirstMessage(bytes)).detail, "attribute 3 is missing");
}

TEST(ParseErrorMessageSurvivesLyingLengths) {
  // Says that the whole request of 4 GB precedes the text; and an error that has no positive form.
  nlmsgerr lie{.error = INT32_MIN};
  lie.msg.nlmsg_len = 0xffffffff;
  const Buffer bytes = RawMessage(NLMSG_ERROR, NLM_F_ACK_TLVS, BytesOf(lie));
  EXPECT_EQ(ParseErrorMessage(FirstMessage(bytes)).code, EBADMSG);
  const Buffer empty = RawMessage(NLMSG_ERROR, 0, {});
  EXPECT_EQ(ParseErrorMessage(FirstMessage(empty)).code, EBADMSG);
}

TEST(ParseDoneMessageFindsErrorAndText) {
  const Buffer bytes = FromHex(kDoneError);
  const Verdict verdict = ParseDoneMessage(FirstMessage(bytes));
  EXPECT_EQ(verdict.code, EINVAL);
  EXPECT_EQ(verdict.detail, "Filter by device index not supported for link dumps");
}

TEST(ParseDoneMessageTakesEmptyBodyForSuccess) {
  const Buffer bytes = RawMessage(NLMSG_DONE, NLM_F_MULTI, {});
  EXPECT_EQ(ParseDoneMessage(FirstMessage(bytes)).code, 0);
}

TEST(ReplyCollectorAckEndsWithAck) {
  ReplyCollector collector = Collector(Kind::kAck);
  EXPECT(!collector.finished());
  collector.Feed(FromHex(kAck));
  EXPECT(collector.finished());
  EXPECT(collector.Take().ok());
}

TEST(ReplyCollectorErrorCarriesNameCodeAndText) {
  ReplyCollector collector = Collector(Kind::kAck);
  collector.Feed(FromHex(kErrorMtu));
  ASSERT(collector.finished());
  const auto reply = collector.Take();
  ASSERT(!reply.ok());
  EXPECT_EQ(reply.error().code, EINVAL);
  EXPECT_EQ(reply.error().syscall, "RTM_TEST");
  EXPECT_EQ(reply.error().detail, "mtu less than device minimum");
}

TEST(ReplyCollectorDumpRefusedInDoneIsNotAnEmptyDump) {
  ReplyCollector collector = Collector(Kind::kDump);
  collector.Feed(FromHex(kDoneError));
  ASSERT(collector.finished());
  const auto reply = collector.Take();
  ASSERT(!reply.ok());
  EXPECT_EQ(reply.error().code, EINVAL);
  EXPECT(!collector.interrupted());
}

TEST(ReplyCollectorDumpSpansDatagrams) {
  ReplyCollector collector = Collector(Kind::kDump);
  collector.Feed(Join({LinkPart(NLM_F_MULTI), LinkPart(NLM_F_MULTI)}));
  EXPECT(!collector.finished());
  collector.Feed(LinkPart(NLM_F_MULTI));
  EXPECT(!collector.finished());
  collector.Feed(DoneMessage(0));
  ASSERT(collector.finished());
  const auto reply = collector.Take();
  ASSERT(reply.ok());
  EXPECT_EQ(reply.value().size(), 3 * LinkPart(0).size());
}

TEST(ReplyCollectorDumpIsInterruptedByAnyMessage) {
  ReplyCollector in_part = Collector(Kind::kDump);
  in_part.Feed(Join({LinkPart(NLM_F_MULTI | NLM_F_DUMP_INTR), DoneMessage(0)}));
  EXPECT(in_part.finished());
  EXPECT(in_part.interrupted());
  ReplyCollector in_done = Collector(Kind::kDump);
  in_done.Feed(Join({LinkPart(NLM_F_MULTI), DoneMessage(0, NLM_F_MULTI | NLM_F_DUMP_INTR)}));
  EXPECT(in_done.interrupted());
  ReplyCollector by_errno = Collector(Kind::kDump);
  by_errno.Feed(DoneMessage(-EINTR));
  EXPECT(by_errno.interrupted());
}

TEST(ReplyCollectorSkipsOtherSequencesAndPorts) {
  ReplyCollector collector(Kind::kAck, "RTM_TEST", kSequence + 1, kPort);
  collector.Feed(FromHex(kAck));
  EXPECT(!collector.finished());
  ReplyCollector other_port(Kind::kAck, "RTM_TEST", kSequence, kPort + 1);
  other_port.Feed(FromHex(kAck));
  EXPECT(!other_port.finished());
}

TEST(ReplyCollectorOneEndsWithFirstMessage) {
  ReplyCollector collector = Collector(Kind::kOne);
  const Buffer link = FromHex(kLinkVeth);
  collector.Feed(link);
  ASSERT(collector.finished());
  const auto reply = collector.Take();
  ASSERT(reply.ok());
  EXPECT(reply.value() == link);
}

TEST(ReplyCollectorFailsOnCutDatagram) {
  const Buffer link = FromHex(kLinkVeth);
  ReplyCollector collector = Collector(Kind::kOne);
  collector.Feed(Bytes(link).first(link.size() / 2));
  ASSERT(collector.finished());
  EXPECT_EQ(collector.Take().error().code, EBADMSG);
}

TEST(ReplyCollectorFailsOnOverrun) {
  ReplyCollector collector = Collector(Kind::kDump);
  collector.Feed(RawMessage(NLMSG_OVERRUN, 0, {}));
  ASSERT(collector.finished());
  EXPECT_EQ(collector.Take().error().code, ENOBUFS);
}

TEST(ReplyCollectorIgnoresNoopAndAckOfDump) {
  ReplyCollector collector = Collector(Kind::kDump);
  collector.Feed(Join({RawMessage(NLMSG_NOOP, 0, {}), ErrorMessage(0)}));
  EXPECT(!collector.finished());
}

}  // namespace multus::test
