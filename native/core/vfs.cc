#include "core/vfs.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <utility>

#include "core/links.h"

namespace multus {

Result<VfList> GetVfs(Rtnetlink& socket, int index, std::optional<int> nsid) {
  // Without statistics: they make the list a third longer, and it wraps at 222 VFs instead of 335.
  const auto reply = AskForLink(socket, index, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS, nsid);
  if (!reply.ok()) return reply.error();
  MessageCursor cursor(reply.value());
  if (const auto message = cursor.Next()) {
    if (auto list = ParseVfList(*message)) return std::move(*list);
  }
  return Error{.code = EBADMSG, .syscall = "RTM_GETLINK", .detail = "the reply is not a link"};
}

}  // namespace multus
