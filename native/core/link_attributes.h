// Walks the attributes of an RTM_NEWLINK, past a kernel bug in the list of virtual functions.
#pragma once

#include <cstdint>
#include <optional>

#include "core/netlink_message.h"

namespace multus {

/// Like AttributeCursor, for the attributes behind an ifinfomsg.
///
/// IFLA_VFINFO_LIST may be longer than its 16-bit nla_len can say: from 222 VFs with statistics,
/// 335 without. The kernel (still 7.2) neither fails nor flags it. Taken at its word, the rest of
/// the list reads as top-level attributes of type 1, which is IFLA_ADDRESS, and the link gets a
/// VF's bytes for its MAC. So the list's end is found by walking its elements, which are at most
/// IFLA_NUM_VF and all of type IFLA_VF_INFO, and is believed when it agrees with nla_len modulo
/// 65536. When it does not, the walk ends there: what follows is anyone's guess.
class LinkAttributeCursor {
 public:
  explicit LinkAttributeCursor(Bytes attributes) : cursor_(attributes) {}

  /// The next attribute, IFLA_VFINFO_LIST with its whole payload; nothing at the end.
  std::optional<Attribute> Next();
  /// The VF list's end was not found. The list's payload was then what nla_len said, and nothing
  /// followed it.
  bool list_truncated() const { return list_truncated_; }

 private:
  std::optional<Attribute> NextVfList(Bytes from);

  AttributeCursor cursor_;
  std::optional<std::uint32_t> num_vfs_;
  bool list_truncated_ = false;
};

}  // namespace multus
