#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/address_text.h"
#include "core/link_attributes.h"
#include "core/vfs.h"

namespace multus {

namespace {

constexpr std::uint32_t kNotReported = 0xffffffff;
constexpr std::size_t kInfinibandAddress = 20;  // INFINIBAND_ALEN of the kernel.

std::optional<bool> ReadTriState(std::uint32_t setting) {
  if (setting == kNotReported) return std::nullopt;
  return setting != 0;
}

/// 64 bits in native order, shown with the most significant byte first.
std::string FormatGuid(std::uint64_t guid) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(guid >> (56 - 8 * i));
  }
  return FormatMac(bytes);
}

/// The kernel allows one entry. It says more than IFLA_VF_VLAN, which has no protocol.
std::optional<ifla_vf_vlan_info> ReadVlanList(Bytes list) {
  const auto entry = FindAttribute(list, IFLA_VF_VLAN_INFO);
  if (!entry) return std::nullopt;
  return ReadAs<ifla_vf_vlan_info>(*entry);
}

/// One walk over a VF's attributes. Each carries the VF's number; the place in the list says
/// nothing, as drivers skip VFs.
class VfReader {
 public:
  explicit VfReader(std::size_t mac_length) : mac_length_(mac_length) {}

  std::optional<Vf> Read(Bytes attributes) {
    AttributeCursor cursor(attributes);
    while (const auto attribute = cursor.Next()) ReadOne(*attribute);
    if (!index_) return std::nullopt;
    vf_.index = *index_;
    if (vlan_info_) {
      vf_.vlan = vlan_info_->vlan;
      vf_.qos = vlan_info_->qos;
      // Some drivers (mlx5) leave 0 for 802.1Q.
      const std::uint16_t protocol = ntohs(vlan_info_->vlan_proto);
      vf_.vlan_protocol = protocol == 0 ? std::uint16_t{ETH_P_8021Q} : protocol;
    }
    return std::move(vf_);
  }

 private:
  template <typename T>
  std::optional<T> Take(Bytes payload) {
    const auto value = ReadAs<T>(payload);
    if (value && !index_) index_ = value->vf;
    return value;
  }

  void ReadOne(const Attribute& attribute) {
    const Bytes payload = attribute.payload;
    switch (attribute.type) {
      case IFLA_VF_MAC:
        if (const auto mac = Take<ifla_vf_mac>(payload)) {
          vf_.mac = FormatMac(std::as_bytes(std::span(mac->mac)).first(mac_length_));
        }
        break;
      case IFLA_VF_VLAN:
        if (const auto vlan = Take<ifla_vf_vlan>(payload)) {
          vf_.vlan = vlan->vlan;
          vf_.qos = vlan->qos;
        }
        break;
      case IFLA_VF_VLAN_LIST:
        vlan_info_ = ReadVlanList(payload);
        if (vlan_info_ && !index_) index_ = vlan_info_->vf;
        break;
      case IFLA_VF_TX_RATE:
        if (const auto rate = Take<ifla_vf_tx_rate>(payload)) {
          if (!vf_.max_tx_rate) vf_.max_tx_rate = rate->rate;
        }
        break;
      case IFLA_VF_RATE:
        if (const auto rate = Take<ifla_vf_rate>(payload)) {
          vf_.min_tx_rate = rate->min_tx_rate;
          vf_.max_tx_rate = rate->max_tx_rate;
        }
        break;
      case IFLA_VF_SPOOFCHK:
        if (const auto value = Take<ifla_vf_spoofchk>(payload)) {
          vf_.spoof_check = ReadTriState(value->setting);
        }
        break;
      case IFLA_VF_TRUST:
        if (const auto value = Take<ifla_vf_trust>(payload)) {
          vf_.trust = ReadTriState(value->setting);
        }
        break;
      case IFLA_VF_RSS_QUERY_EN:
        if (const auto value = Take<ifla_vf_rss_query_en>(payload)) {
          vf_.rss_query = ReadTriState(value->setting);
        }
        break;
      case IFLA_VF_LINK_STATE:
        if (const auto value = Take<ifla_vf_link_state>(payload)) {
          if (value->link_state != kNotReported) vf_.link_state = value->link_state;
        }
        break;
      case IFLA_VF_IB_NODE_GUID:
        if (const auto value = Take<ifla_vf_guid>(payload)) vf_.node_guid = FormatGuid(value->guid);
        break;
      case IFLA_VF_IB_PORT_GUID:
        if (const auto value = Take<ifla_vf_guid>(payload)) vf_.port_guid = FormatGuid(value->guid);
        break;
      default:  // IFLA_VF_BROADCAST has no VF number; statistics are not ours.
        break;
    }
  }

  std::size_t mac_length_;
  Vf vf_;
  std::optional<std::uint32_t> index_;
  std::optional<ifla_vf_vlan_info> vlan_info_;
};

}  // namespace

std::optional<VfList> ParseVfList(const Message& message) {
  const auto info = ReadAs<ifinfomsg>(message.body);
  if (message.header.nlmsg_type != RTM_NEWLINK || !info) return std::nullopt;
  const std::size_t mac_length =
      info->ifi_type == ARPHRD_INFINIBAND ? kInfinibandAddress : std::size_t{ETH_ALEN};
  VfList list;
  std::optional<Bytes> elements;
  LinkAttributeCursor cursor(message.body.subspan(sizeof(ifinfomsg)));
  while (const auto attribute = cursor.Next()) {
    if (attribute->type == IFLA_NUM_VF) list.num_vfs = ReadAs<std::uint32_t>(attribute->payload);
    if (attribute->type == IFLA_VFINFO_LIST) elements = attribute->payload;
  }
  list.truncated = cursor.list_truncated();
  list.queryable = elements.has_value() || list.num_vfs.value_or(0) == 0;
  AttributeCursor element_cursor(elements.value_or(Bytes{}));
  while (const auto element = element_cursor.Next()) {
    if (element->type != IFLA_VF_INFO) continue;
    if (auto vf = VfReader(mac_length).Read(element->payload)) list.vfs.push_back(std::move(*vf));
  }
  return list;
}

}  // namespace multus
