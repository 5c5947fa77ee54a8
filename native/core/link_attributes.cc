#include "core/link_attributes.h"

#include <linux/if_link.h>

#include <limits>

namespace multus {

std::optional<Attribute> LinkAttributeCursor::Next() {
  if (list_truncated_) return std::nullopt;
  const Bytes from = cursor_.rest();
  const auto header = ReadAs<nlattr>(from);
  // Looked at before the cursor checks it: a wrapped length may be anything, 0 included.
  if (header && (header->nla_type & NLA_TYPE_MASK) == IFLA_VFINFO_LIST) return NextVfList(from);
  auto attribute = cursor_.Next();
  if (attribute && attribute->type == IFLA_NUM_VF) {
    num_vfs_ = ReadAs<std::uint32_t>(attribute->payload);
  }
  return attribute;
}

std::optional<Attribute> LinkAttributeCursor::NextVfList(Bytes from) {
  const std::uint16_t stated = ReadAs<nlattr>(from)->nla_len;
  AttributeCursor elements(from.subspan(sizeof(nlattr)));
  Bytes rest = elements.rest();
  const std::uint32_t limit = num_vfs_.value_or(std::numeric_limits<std::uint32_t>::max());
  for (std::uint32_t count = 0; count < limit; ++count) {
    const auto element = elements.Next();
    if (!element || element->type != IFLA_VF_INFO) break;
    rest = elements.rest();
  }
  const std::size_t walked = from.size() - rest.size();
  if (walked % 65536 == stated) {
    cursor_ = AttributeCursor(rest);
    return Attribute{.type = IFLA_VFINFO_LIST,
                     .payload = from.first(walked).subspan(sizeof(nlattr))};
  }
  list_truncated_ = true;
  if (stated < sizeof(nlattr) || stated > from.size()) {
    return Attribute{.type = IFLA_VFINFO_LIST, .payload = {}};
  }
  return Attribute{.type = IFLA_VFINFO_LIST, .payload = from.first(stated).subspan(sizeof(nlattr))};
}

}  // namespace multus
