#include "core/links.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace multus {

namespace {

constexpr const char* kGetLink = "RTM_GETLINK";

Result<Link> Single(Result<Buffer> reply) {
  if (!reply.ok()) return std::move(reply.error());
  MessageCursor cursor(reply.value());
  if (const auto message = cursor.Next()) {
    if (auto link = ParseLink(*message)) return std::move(*link);
  }
  return Error{.code = EBADMSG, .syscall = kGetLink, .detail = "the reply is not a link"};
}

}  // namespace

Result<std::vector<Link>> ListLinks(Rtnetlink& socket) {
  MessageBuilder request(RTM_GETLINK, NLM_F_DUMP);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC});
  request.AddU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  auto reply = socket.Dump(request, kGetLink);
  if (!reply.ok()) return std::move(reply.error());
  return ParseAll(reply.value(), ParseLink);
}

Result<Link> GetLink(Rtnetlink& socket, int index) {
  MessageBuilder request(RTM_GETLINK, 0);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = index});
  request.AddU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  auto link = Single(socket.Get(request, kGetLink));
  if (!link.ok() && link.error().code == ENODEV && link.error().detail.empty()) {
    link.error().detail = "no link has index " + std::to_string(index);
  }
  return link;
}

Result<Link> GetLinkByName(Rtnetlink& socket, const std::string& name) {
  const auto missing = [&name](std::string detail) {
    return Error{.code = ENODEV, .syscall = kGetLink, .detail = std::move(detail), .ifname = name};
  };
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return missing("no link can have a name of " + std::to_string(name.size()) + " bytes");
  }
  MessageBuilder request(RTM_GETLINK, 0);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC});
  request.AddU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  request.AddString(IFLA_IFNAME, name);
  auto link = Single(socket.Get(request, kGetLink));
  if (!link.ok()) {
    link.error().ifname = name;
    return link;
  }
  if (link.value().name != name) {
    return missing("it is only an alternative name of " + link.value().name);
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
