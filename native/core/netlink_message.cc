#include "core/netlink_message.h"

#include <algorithm>

namespace multus {

namespace {

constexpr std::size_t Align4(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

}  // namespace

std::string_view ReadString(Bytes payload) {
  const auto end = std::find(payload.begin(), payload.end(), std::byte{0});
  // char may alias any object, so this view needs no copy.
  return {reinterpret_cast<const char*>(payload.data()),
          static_cast<std::size_t>(end - payload.begin())};
}

std::optional<Attribute> AttributeCursor::Next() {
  if (rest_.empty() || malformed_) return std::nullopt;
  const auto header = ReadAs<nlattr>(rest_);
  if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > rest_.size()) {
    malformed_ = true;
    return std::nullopt;
  }
  Attribute attribute{.type = static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
                      .payload = rest_.first(header->nla_len).subspan(sizeof(nlattr))};
  // The last attribute may come without its padding.
  rest_ = rest_.subspan(std::min(Align4(header->nla_len), rest_.size()));
  return attribute;
}

std::optional<Bytes> FindAttribute(Bytes attributes, std::uint16_t type) {
  AttributeCursor cursor(attributes);
  while (const auto attribute = cursor.Next()) {
    if (attribute->type == type) return attribute->payload;
  }
  return std::nullopt;
}

std::optional<Message> MessageCursor::Next() {
  if (rest_.empty() || malformed_) return std::nullopt;
  const auto header = ReadAs<nlmsghdr>(rest_);
  if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest_.size()) {
    malformed_ = true;
    return std::nullopt;
  }
  Message message{.header = *header,
                  .body = rest_.first(header->nlmsg_len).subspan(sizeof(nlmsghdr))};
  rest_ = rest_.subspan(std::min(Align4(header->nlmsg_len), rest_.size()));
  return message;
}

MessageBuilder::MessageBuilder(std::uint16_t type, std::uint16_t flags) {
  const nlmsghdr header{.nlmsg_type = type,
                        .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST)};
  Append(std::as_bytes(std::span(&header, 1)));
}

MessageBuilder& MessageBuilder::Add(std::uint16_t type, Bytes payload) {
  const nlattr header{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()),
                      .nla_type = type};
  Append(std::as_bytes(std::span(&header, 1)));
  Append(payload);
  return *this;
}

MessageBuilder& MessageBuilder::AddU32(std::uint16_t type, std::uint32_t value) {
  return Add(type, std::as_bytes(std::span(&value, 1)));
}

MessageBuilder& MessageBuilder::AddString(std::uint16_t type, std::string_view text) {
  const std::string terminated(text);
  return Add(type, std::as_bytes(std::span(terminated.c_str(), terminated.size() + 1)));
}

std::size_t MessageBuilder::BeginNest(std::uint16_t type) {
  const std::size_t nest = bytes_.size();
  Add(type, {});
  return nest;
}

void MessageBuilder::EndNest(std::size_t nest) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - nest);
  std::memcpy(bytes_.data() + nest + offsetof(nlattr, nla_len), &length, sizeof(length));
}

Bytes MessageBuilder::Finish(std::uint32_t sequence, std::uint32_t port) {
  nlmsghdr header{};
  std::memcpy(&header, bytes_.data(), sizeof(header));
  header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  header.nlmsg_pid = port;
  std::memcpy(bytes_.data(), &header, sizeof(header));
  return bytes_;
}

void MessageBuilder::Append(Bytes bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  bytes_.resize(Align4(bytes_.size()));
}

}  // namespace multus
