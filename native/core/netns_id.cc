#include "core/netns_id.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/link_attributes.h"

namespace multus {

namespace {

constexpr const char* kGetNsid = "RTM_GETNSID";

MessageBuilder NsidRequest(std::uint16_t type, std::uint16_t flags, int netns_fd) {
  MessageBuilder request(type, flags);
  request.Fixed(rtgenmsg{.rtgen_family = AF_UNSPEC});
  request.AddU32(NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
  return request;
}

/// Nothing when the namespace has no number yet.
Result<std::optional<int>> AskNetnsId(Rtnetlink& socket, int netns_fd) {
  MessageBuilder request = NsidRequest(RTM_GETNSID, 0, netns_fd);
  auto reply = socket.Get(request, kGetNsid);
  if (!reply.ok()) return std::move(reply.error());
  MessageCursor cursor(reply.value());
  const auto message = cursor.Next();
  if (message && message->header.nlmsg_type == RTM_NEWNSID &&
      message->body.size() >= NLMSG_ALIGN(sizeof(rtgenmsg))) {
    const Bytes attributes = message->body.subspan(NLMSG_ALIGN(sizeof(rtgenmsg)));
    const auto number =
        ReadAs<std::int32_t>(FindAttribute(attributes, NETNSA_NSID).value_or(Bytes{}));
    if (number) return *number >= 0 ? std::optional<int>(*number) : std::nullopt;
  }
  return Error{.code = EBADMSG, .syscall = kGetNsid, .detail = "the reply has no number"};
}

/// The number that a link's message says it comes from.
std::optional<int> TargetOf(const Message& message) {
  if (message.body.size() < sizeof(ifinfomsg)) return std::nullopt;
  LinkAttributeCursor cursor(message.body.subspan(sizeof(ifinfomsg)));
  while (const auto attribute = cursor.Next()) {
    if (attribute->type == IFLA_TARGET_NETNSID) return ReadAs<std::int32_t>(attribute->payload);
  }
  return std::nullopt;
}

}  // namespace

Result<int> NetnsId(Rtnetlink& socket, int netns_fd) {
  auto number = AskNetnsId(socket, netns_fd);
  if (!number.ok()) return std::move(number.error());
  if (number.value()) return *number.value();
  MessageBuilder request = NsidRequest(RTM_NEWNSID, NLM_F_ACK, netns_fd);
  request.AddU32(NETNSA_NSID, static_cast<std::uint32_t>(NETNSA_NSID_NOT_ASSIGNED));  // Any.
  auto given = socket.Change(request, "RTM_NEWNSID");
  // Somebody else was faster: the number is as good.
  if (!given.ok() && given.error().code != EEXIST) return std::move(given.error());
  number = AskNetnsId(socket, netns_fd);
  if (!number.ok()) return std::move(number.error());
  if (number.value()) return *number.value();
  return Error{.code = ENODATA, .syscall = kGetNsid, .detail = "the kernel gave it no number"};
}

void AddTargetNetns(MessageBuilder& request, std::optional<int> nsid) {
  if (nsid) request.AddU32(IFLA_TARGET_NETNSID, static_cast<std::uint32_t>(*nsid));
}

Result<Unit> CheckTargetNetns(Bytes reply, std::optional<int> nsid, const char* syscall) {
  if (!nsid) return Unit{};
  MessageCursor cursor(reply);
  while (const auto message = cursor.Next()) {
    if (TargetOf(*message) == nsid) continue;
    return Error{.code = EOPNOTSUPP,
                 .syscall = syscall,
                 .detail = "the kernel did not answer of namespace " + std::to_string(*nsid) +
                           " but of another; it wants Linux 4.15"};
  }
  return Unit{};
}

}  // namespace multus
