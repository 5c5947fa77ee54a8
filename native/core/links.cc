#include "core/links.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "core/netns_id.h"

namespace multus {

namespace {

constexpr const char* kGetLink = "RTM_GETLINK";

/// A request for links there, and of which namespace the answer has to be.
MessageBuilder LinkQuery(std::uint16_t flags, int index, std::uint32_t mask,
                         std::optional<int> nsid) {
  MessageBuilder request(RTM_GETLINK, flags);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = index});
  request.AddU32(IFLA_EXT_MASK, mask);
  AddTargetNetns(request, nsid);
  return request;
}

/// The reply, when it is of the right namespace.
Result<Buffer> Checked(Result<Buffer> reply, std::optional<int> nsid) {
  if (!reply.ok()) {
    Error& error = reply.error();
    if (nsid && error.code == EINVAL && error.detail.empty()) {
      error.detail = "no namespace has the number " + std::to_string(*nsid) + " here";
    }
    return std::move(error);
  }
  if (auto checked = CheckTargetNetns(reply.value(), nsid, kGetLink); !checked.ok()) {
    return std::move(checked.error());
  }
  return reply;
}

Result<Link> Single(Result<Buffer> reply) {
  if (!reply.ok()) return std::move(reply.error());
  MessageCursor cursor(reply.value());
  if (const auto message = cursor.Next()) {
    if (auto link = ParseLink(*message)) return std::move(*link);
  }
  return Error{.code = EBADMSG, .syscall = kGetLink, .detail = "the reply is not a link"};
}

Error Missing(const std::string& name, std::string detail) {
  return Error{.code = ENODEV, .syscall = kGetLink, .detail = std::move(detail), .ifname = name};
}

}  // namespace

Result<std::vector<Link>> ListLinks(Rtnetlink& socket, std::optional<int> nsid) {
  // Without VFs: a dump of another namespace leaves out, without a word, links whose message does
  // not fit.
  MessageBuilder request = LinkQuery(NLM_F_DUMP, 0, RTEXT_FILTER_SKIP_STATS, nsid);
  auto reply = Checked(socket.Dump(request, kGetLink), nsid);
  if (!reply.ok()) return std::move(reply.error());
  return ParseAll(reply.value(), ParseLink);
}

Result<Buffer> AskForLink(Rtnetlink& socket, int index, std::uint32_t mask,
                          std::optional<int> nsid) {
  MessageBuilder request = LinkQuery(0, index, mask, nsid);
  auto reply = Checked(socket.Get(request, kGetLink), nsid);
  if (!reply.ok() && reply.error().code == ENODEV && reply.error().detail.empty()) {
    reply.error().detail = "no link has index " + std::to_string(index);
  }
  return reply;
}

Result<Link> GetLink(Rtnetlink& socket, int index) {
  return Single(AskForLink(socket, index, RTEXT_FILTER_SKIP_STATS));
}

Result<Link> GetLinkByAnyName(Rtnetlink& socket, const std::string& name, std::optional<int> nsid) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return Missing(name, "no link can have a name of " + std::to_string(name.size()) + " bytes");
  }
  MessageBuilder request = LinkQuery(0, 0, RTEXT_FILTER_SKIP_STATS, nsid);
  request.AddString(IFLA_IFNAME, name);
  auto link = Single(Checked(socket.Get(request, kGetLink), nsid));
  if (!link.ok()) link.error().ifname = name;
  return link;
}

Result<Link> GetLinkByName(Rtnetlink& socket, const std::string& name) {
  auto link = GetLinkByAnyName(socket, name);
  if (link.ok() && link.value().name != name) {
    return Missing(name, "it is only an alternative name of " + link.value().name);
  }
  return link;
}

Error DescribeLinkError(Rtnetlink& socket, int index, Error error) {
  if (error.ifname.empty()) {
    if (auto link = GetLink(socket, index); link.ok()) {
      error.ifname = link.value().name;
    } else if (link.error().code == ENODEV && error.detail.empty()) {
      error.detail = link.error().detail;
    }
  }
  return error;
}

}  // namespace multus
