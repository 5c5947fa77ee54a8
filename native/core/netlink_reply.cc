#include "core/netlink_reply.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace multus {

namespace {

/// The kernel writes -errno.
int PositiveErrno(std::int32_t error) {
  if (error >= 0) return 0;
  if (error == std::numeric_limits<std::int32_t>::min()) return EBADMSG;
  return -error;
}

std::string ExtendedAckText(Bytes attributes) {
  std::string text;
  AttributeCursor cursor(attributes);
  while (const auto attribute = cursor.Next()) {
    if (attribute->type == NLMSGERR_ATTR_MSG) {
      text = ReadString(attribute->payload);
    } else if (attribute->type == NLMSGERR_ATTR_MISS_TYPE) {
      if (const auto missing = ReadAs<std::uint32_t>(attribute->payload)) {
        text += (text.empty() ? "attribute " : "; attribute ") + std::to_string(*missing) +
                " is missing";
      }
    }
  }
  return text;
}

}  // namespace

Verdict ParseErrorMessage(const Message& message) {
  const auto error = ReadAs<nlmsgerr>(message.body);
  if (!error) return {.code = EBADMSG, .detail = "the kernel's error message is too short"};
  Verdict verdict{.code = PositiveErrno(error->error)};
  if ((message.header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return verdict;
  // Our request comes back in front of the text: whole, or its header alone (CAP_ACK).
  std::size_t offset = sizeof(nlmsgerr);
  if ((message.header.nlmsg_flags & NLM_F_CAPPED) == 0) {
    const std::size_t echoed = std::max<std::size_t>(error->msg.nlmsg_len, sizeof(nlmsghdr));
    offset = sizeof(error->error) + ((echoed + 3) & ~std::size_t{3});
  }
  if (offset <= message.body.size()) {
    verdict.detail = ExtendedAckText(message.body.subspan(offset));
  }
  return verdict;
}

Verdict ParseDoneMessage(const Message& message) {
  const auto error = ReadAs<std::int32_t>(message.body);
  if (!error) return {};  // Old kernels may send an empty DONE.
  Verdict verdict{.code = PositiveErrno(*error)};
  if ((message.header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
    verdict.detail = ExtendedAckText(message.body.subspan(sizeof(*error)));
  }
  return verdict;
}

ReplyCollector::ReplyCollector(Kind kind, const char* syscall, std::uint32_t sequence,
                               std::uint32_t port)
    : kind_(kind), syscall_(syscall), sequence_(sequence), port_(port) {}

void ReplyCollector::Feed(Bytes datagram) {
  MessageCursor cursor(datagram);
  while (const auto message = cursor.Next()) {
    if (finished_) return;
    if (message->header.nlmsg_seq != sequence_ || message->header.nlmsg_pid != port_) continue;
    Accept(*message);
  }
  if (cursor.malformed() && !finished_) {
    Fail({.code = EBADMSG, .detail = "the kernel's reply is cut off or malformed"});
  }
}

void ReplyCollector::Accept(const Message& message) {
  if ((message.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0 && kind_ == Kind::kDump) {
    interrupted_ = true;
  }
  switch (message.header.nlmsg_type) {
    case NLMSG_NOOP:
      return;
    case NLMSG_OVERRUN:
      return Fail({.code = ENOBUFS, .detail = "the kernel reports lost data"});
    case NLMSG_ERROR: {
      Verdict verdict = ParseErrorMessage(message);
      if (verdict.code != 0) return Fail(std::move(verdict));
      if (kind_ == Kind::kAck) finished_ = true;
      return;
    }
    case NLMSG_DONE: {
      Verdict verdict = ParseDoneMessage(message);
      if (verdict.code != 0) return Fail(std::move(verdict));
      if (kind_ == Kind::kDump) finished_ = true;
      return;
    }
    default:
      break;
  }
  if (kind_ == Kind::kAck) return;
  const auto header = std::as_bytes(std::span(&message.header, 1));
  messages_.insert(messages_.end(), header.begin(), header.end());
  messages_.insert(messages_.end(), message.body.begin(), message.body.end());
  messages_.resize((messages_.size() + 3) & ~std::size_t{3});
  if (kind_ == Kind::kOne) finished_ = true;
}

void ReplyCollector::Fail(Verdict verdict) {
  if (verdict.code == EINTR && kind_ == Kind::kDump) interrupted_ = true;
  failure_ = std::move(verdict);
  finished_ = true;
}

Result<Buffer> ReplyCollector::Take() {
  if (failure_.code != 0) {
    return Error{.code = failure_.code, .syscall = syscall_, .detail = std::move(failure_.detail)};
  }
  return std::move(messages_);
}

}  // namespace multus
