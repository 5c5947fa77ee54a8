#include "core/link_changes.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/address_text.h"
#include "core/links.h"
#include "core/netns_id.h"

namespace multus {

namespace {

constexpr const char* kSetLink = "RTM_SETLINK";

MessageBuilder LinkRequest(std::uint16_t type, std::uint16_t flags, int index) {
  MessageBuilder request(type, static_cast<std::uint16_t>(flags | NLM_F_ACK));
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = index});
  return request;
}

/// Send the change and name the link in its error.
Result<Unit> Apply(Rtnetlink& socket, int index, MessageBuilder& request, const char* syscall) {
  auto done = socket.Change(request, syscall);
  if (!done.ok()) return DescribeLinkError(socket, index, std::move(done.error()));
  return done;
}

/// What of a name the kernel refuses (dev_valid_name, and the folders of /proc/sys/net/ipv4/conf),
/// or takes for something else.
std::string FaultOfName(const std::string& name) {
  if (name.empty()) return "the new name is empty";
  if (name == "." || name == ".." || name == "all" || name == "default") {
    return "no link can have this name";
  }
  if (name.find('%') != std::string::npos) {
    return "the name contains %, which the kernel takes for a template";
  }
  // 0xa0: white space to the kernel, whose isspace() knows Latin-1.
  if (name.find_first_of("/: \t\n\v\f\r\xa0") != std::string::npos) {
    return "the name contains a slash, a colon or white space";
  }
  return {};
}

Result<Unit> CheckNewName(const std::string& name) {
  const auto refuse = [&name](int code, std::string detail) {
    return Error{.code = code, .syscall = kSetLink, .detail = std::move(detail), .ifname = name};
  };
  if (name.size() >= IFNAMSIZ) {
    return refuse(ERANGE,
                  "the name is " + std::to_string(name.size()) + " bytes, at most 15 are allowed");
  }
  if (std::string fault = FaultOfName(name); !fault.empty()) return refuse(EINVAL, fault);
  return Unit{};
}

/// EEXIST when the link could not get that name in the namespace `nsid`.
Result<Unit> CheckNameIsFree(Rtnetlink& socket, const Link& link, int nsid,
                             const std::string& name) {
  const auto refuse = [&name](std::string detail) {
    return Error{.code = EEXIST, .syscall = kSetLink, .detail = std::move(detail), .ifname = name};
  };
  if (std::ranges::find(link.alt_names, name) != link.alt_names.end()) {
    return refuse("it is an alternative name of " + link.name + " itself, which was not moved");
  }
  const auto holder = GetLinkByAnyName(socket, name, nsid);
  if (holder.ok()) {
    return refuse((holder.value().name == name ? "a link there has it"
                                               : holder.value().name + " there has it as well") +
                  std::string("; ") + link.name + " was not moved");
  }
  if (holder.error().code != ENODEV) return holder.error();
  return Unit{};
}

/// Add to the error of a move where the link is now.
Error DescribeMoveError(Rtnetlink& socket, const Link& link, int nsid, Error error) {
  if (error.ifname.empty()) error.ifname = link.name;
  const auto here = GetLink(socket, link.index);
  std::string place;
  if (here.ok()) {
    place = "the link was not moved";
  } else if (GetLinkByAnyName(socket, link.name, nsid).ok()) {
    place = "the link has been moved all the same, under its old name " + link.name;
  } else {
    place = "the link is in neither namespace as " + link.name;
  }
  error.detail += (error.detail.empty() ? "" : "; ") + place;
  return error;
}

Result<Unit> SendRename(Rtnetlink& socket, int index, const std::string& name) {
  MessageBuilder request = LinkRequest(RTM_SETLINK, 0, index);
  request.AddString(IFLA_IFNAME, name);
  auto renamed = socket.Change(request, kSetLink);
  if (!renamed.ok()) {
    Error& error = renamed.error();
    error.ifname = name;
    if (error.code == ENODEV && error.detail.empty()) {
      error.detail = "no link has index " + std::to_string(index);
    }
  }
  return renamed;
}

/// Down, rename, up. Whatever the rename says, the link is brought up again.
Result<bool> RenameWhileDown(Rtnetlink& socket, int index, const std::string& name) {
  if (auto down = SetLinkUp(socket, index, false); !down.ok()) return std::move(down.error());
  auto renamed = SendRename(socket, index, name);
  auto up = SetLinkUp(socket, index, true);
  if (!renamed.ok()) {
    if (!up.ok()) renamed.error().detail += "; and the link stayed down";
    return std::move(renamed.error());
  }
  if (!up.ok()) {
    up.error().detail += "; the link was renamed, taken down for it, and stayed down";
    return std::move(up.error());
  }
  return true;
}

MessageBuilder AltNameRequest(std::uint16_t type, std::uint16_t flags, int index,
                              const std::string& name) {
  MessageBuilder request = LinkRequest(type, flags, index);
  const std::size_t nest = request.BeginNest(IFLA_PROP_LIST | NLA_F_NESTED);
  request.AddString(IFLA_ALT_IFNAME, name);
  request.EndNest(nest);
  return request;
}

}  // namespace

Result<bool> RenameLink(Rtnetlink& socket, int index, const std::string& name) {
  if (auto checked = CheckNewName(name); !checked.ok()) return std::move(checked.error());
  auto renamed = SendRename(socket, index, name);
  if (renamed.ok()) return false;
  if (renamed.error().code != EBUSY) return std::move(renamed.error());
  auto link = GetLink(socket, index);
  if (!link.ok() || (link.value().flags & IFF_UP) == 0) return std::move(renamed.error());
  return RenameWhileDown(socket, index, name);
}

Result<Unit> MoveLink(Rtnetlink& socket, int index, int netns_fd, const std::string& name) {
  if (auto checked = CheckNewName(name); !checked.ok()) return checked;
  const auto link = GetLink(socket, index);
  if (!link.ok()) return link.error();
  const auto nsid = NetnsId(socket, netns_fd);
  if (!nsid.ok()) return nsid.error();
  if (auto free = CheckNameIsFree(socket, link.value(), nsid.value(), name); !free.ok()) {
    return free;
  }
  MessageBuilder request = LinkRequest(RTM_SETLINK, 0, index);
  request.AddU32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd));
  request.AddString(IFLA_IFNAME, name);
  auto moved = socket.Change(request, kSetLink);
  if (!moved.ok()) {
    return DescribeMoveError(socket, link.value(), nsid.value(), std::move(moved.error()));
  }
  return moved;
}

Result<Unit> SetLinkUp(Rtnetlink& socket, int index, bool up) {
  MessageBuilder request(RTM_SETLINK, NLM_F_ACK);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC,
                          .ifi_index = index,
                          .ifi_flags = up ? unsigned{IFF_UP} : 0U,
                          .ifi_change = IFF_UP});
  return Apply(socket, index, request, kSetLink);
}

Result<Unit> SetLinkMtu(Rtnetlink& socket, int index, std::uint32_t mtu) {
  MessageBuilder request = LinkRequest(RTM_SETLINK, 0, index);
  request.AddU32(IFLA_MTU, mtu);
  return Apply(socket, index, request, kSetLink);
}

Result<Unit> SetLinkMac(Rtnetlink& socket, int index, const std::string& mac) {
  auto link = GetLink(socket, index);
  if (!link.ok()) return std::move(link.error());
  // The kernel refuses a shorter address but cuts a longer one without a word.
  const auto bytes = ParseMac(mac);
  if (!bytes || mac.size() != link.value().mac.size()) {
    return Error{.code = EINVAL,
                 .syscall = kSetLink,
                 .detail = "\"" + mac + "\" is not a hardware address like " + link.value().mac,
                 .ifname = link.value().name};
  }
  MessageBuilder request = LinkRequest(RTM_SETLINK, 0, index);
  request.Add(IFLA_ADDRESS, *bytes);
  return Apply(socket, index, request, kSetLink);
}

Result<Unit> AddAltName(Rtnetlink& socket, int index, const std::string& name) {
  MessageBuilder request =
      AltNameRequest(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, index, name);
  return Apply(socket, index, request, "RTM_NEWLINKPROP");
}

Result<Unit> DeleteAltName(Rtnetlink& socket, int index, const std::string& name) {
  MessageBuilder request = AltNameRequest(RTM_DELLINKPROP, 0, index, name);
  return Apply(socket, index, request, "RTM_DELLINKPROP");
}

Result<Unit> DeleteLink(Rtnetlink& socket, int index) {
  MessageBuilder request = LinkRequest(RTM_DELLINK, 0, index);
  return Apply(socket, index, request, "RTM_DELLINK");
}

}  // namespace multus
