#include "core/vfs.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

namespace multus {

Result<VfList> GetVfs(Rtnetlink& socket, int index) {
  constexpr const char* kGetLink = "RTM_GETLINK";
  MessageBuilder request(RTM_GETLINK, 0);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = index});
  // Without statistics: they make the list a third longer, and it wraps at 222 VFs instead of 335.
  request.AddU32(IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
  auto reply = socket.Get(request, kGetLink);
  if (!reply.ok()) {
    Error& error = reply.error();
    if (error.code == ENODEV && error.detail.empty()) {
      error.detail = "no link has index " + std::to_string(index);
    }
    return std::move(error);
  }
  MessageCursor cursor(reply.value());
  if (const auto message = cursor.Next()) {
    if (auto list = ParseVfList(*message)) return std::move(*list);
  }
  return Error{.code = EBADMSG, .syscall = kGetLink, .detail = "the reply is not a link"};
}

}  // namespace multus
