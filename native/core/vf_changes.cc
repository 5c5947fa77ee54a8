#include "core/vf_changes.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/address_text.h"
#include "core/links.h"

namespace multus {

namespace {

constexpr const char* kSetLink = "RTM_SETLINK";

template <typename T>
void AddStruct(MessageBuilder& request, std::uint16_t type, const T& value) {
  request.Add(type, std::as_bytes(std::span(&value, 1)));
}

/// Adds the attribute of a change, and tells what is being set; nothing for a value that no driver
/// could take.
class VfAttribute {
 public:
  VfAttribute(MessageBuilder& request, std::uint32_t vf) : request_(request), vf_(vf) {}

  const char* operator()(const VfMac& change) {
    const auto mac = ParseMac(change.mac);
    if (!mac || mac->size() != ETH_ALEN) return nullptr;
    ifla_vf_mac value{.vf = vf_};
    std::copy(mac->begin(), mac->end(), reinterpret_cast<std::byte*>(value.mac));
    AddStruct(request_, IFLA_VF_MAC, value);
    return "MAC";
  }

  const char* operator()(const VfVlan& change) {
    // Not IFLA_VF_VLAN, which has no protocol: the list is as old as Linux 4.9, and no Node of ours
    // runs on an older one.
    const std::size_t list = request_.BeginNest(IFLA_VF_VLAN_LIST);
    AddStruct(request_, IFLA_VF_VLAN_INFO,
              ifla_vf_vlan_info{.vf = vf_,
                                .vlan = change.vlan,
                                .qos = change.qos,
                                .vlan_proto = htons(change.protocol)});
    request_.EndNest(list);
    return "VLAN";
  }

  const char* operator()(const VfRate& change) {
    AddStruct(request_, IFLA_VF_RATE,
              ifla_vf_rate{.vf = vf_, .min_tx_rate = change.min, .max_tx_rate = change.max});
    return "rate";
  }

  const char* operator()(const VfSpoofCheck& change) {
    AddStruct(request_, IFLA_VF_SPOOFCHK, ifla_vf_spoofchk{.vf = vf_, .setting = change.on});
    return "spoof check";
  }

  const char* operator()(const VfTrust& change) {
    AddStruct(request_, IFLA_VF_TRUST, ifla_vf_trust{.vf = vf_, .setting = change.on});
    return "trust";
  }

  const char* operator()(const VfLinkState& change) {
    AddStruct(request_, IFLA_VF_LINK_STATE,
              ifla_vf_link_state{.vf = vf_, .link_state = change.state});
    return "link state";
  }

 private:
  MessageBuilder& request_;
  std::uint32_t vf_;
};

}  // namespace

Result<Unit> SetVf(Rtnetlink& socket, int index, std::uint32_t vf, const VfChange& change) {
  MessageBuilder request(RTM_SETLINK, NLM_F_ACK);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = index});
  const std::size_t list = request.BeginNest(IFLA_VFINFO_LIST);
  const std::size_t info = request.BeginNest(IFLA_VF_INFO);
  const char* what = std::visit(VfAttribute(request, vf), change);
  request.EndNest(info);
  request.EndNest(list);
  const std::string number = "VF " + std::to_string(vf);
  if (what == nullptr) {
    const std::string& mac = std::get<VfMac>(change).mac;
    return Error{.code = EINVAL,
                 .syscall = kSetLink,
                 .detail = number + ": \"" + mac + "\" is not a MAC address of six bytes"};
  }
  auto done = socket.Change(request, kSetLink);
  if (done.ok()) return done;
  Error error = DescribeLinkError(socket, index, std::move(done.error()));
  if (error.code != ENODEV) {
    error.detail = number + ", " + what + (error.detail.empty() ? "" : ": " + error.detail);
  }
  return error;
}

}  // namespace multus
