#include "addon/convert.h"

#include <net/if.h>
#include <sys/socket.h>

#include <optional>
#include <string>

namespace multus {

namespace {

int VersionOf(int family) { return family == AF_INET ? 4 : 6; }

Napi::Value OrNull(Napi::Env env, const std::optional<std::string>& value) {
  if (!value) return env.Null();
  return Napi::String::New(env, *value);
}

Napi::Value OrNull(Napi::Env env, const std::optional<bool>& value) {
  if (!value) return env.Null();
  return Napi::Boolean::New(env, *value);
}

template <typename T>
Napi::Value OrNull(Napi::Env env, const std::optional<T>& value) {
  if (!value) return env.Null();
  return Napi::Number::New(env, static_cast<double>(*value));
}

Napi::Value ToJs(Napi::Env env, const Vf& vf) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", static_cast<double>(vf.index));
  object.Set("mac", OrNull(env, vf.mac));
  object.Set("vlan", OrNull(env, vf.vlan));
  object.Set("qos", OrNull(env, vf.qos));
  object.Set("vlanProtocol", OrNull(env, vf.vlan_protocol));
  object.Set("minTxRate", OrNull(env, vf.min_tx_rate));
  object.Set("maxTxRate", OrNull(env, vf.max_tx_rate));
  object.Set("spoofCheck", OrNull(env, vf.spoof_check));
  object.Set("trust", OrNull(env, vf.trust));
  object.Set("rssQuery", OrNull(env, vf.rss_query));
  object.Set("linkState", OrNull(env, vf.link_state));
  object.Set("nodeGuid", OrNull(env, vf.node_guid));
  object.Set("portGuid", OrNull(env, vf.port_guid));
  return object;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const Unit& /*unit*/) { return env.Undefined(); }

Napi::Value ToJs(Napi::Env env, int number) { return Napi::Number::New(env, number); }

Napi::Value ToJs(Napi::Env env, const Link& link) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", link.index);
  object.Set("name", link.name);
  object.Set("kind", link.kind);
  object.Set("mac", link.mac);
  object.Set("permanentMac", link.permanent_mac);
  object.Set("mtu", static_cast<double>(link.mtu));
  object.Set("flags", static_cast<double>(link.flags));
  object.Set("up", Napi::Boolean::New(env, (link.flags & IFF_UP) != 0));
  object.Set("parentIndex", link.parent_index);
  object.Set("parentNsid", link.parent_nsid);
  object.Set("masterIndex", link.master_index);
  Napi::Array alt_names = Napi::Array::New(env, link.alt_names.size());
  for (std::size_t i = 0; i < link.alt_names.size(); ++i) {
    alt_names.Set(static_cast<std::uint32_t>(i), link.alt_names[i]);
  }
  object.Set("altNames", alt_names);
  object.Set("parentDevice", link.parent_device);
  object.Set("parentBus", link.parent_bus);
  object.Set("portName", link.port_name);
  object.Set("switchId", link.switch_id);
  return object;
}

Napi::Value ToJs(Napi::Env env, const Address& address) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", address.index);
  object.Set("family", VersionOf(address.family));
  object.Set("address", address.text);
  object.Set("prefixLength", static_cast<int>(address.prefix_length));
  object.Set("flags", static_cast<double>(address.flags));
  object.Set("scope", static_cast<int>(address.scope));
  return object;
}

Napi::Value ToJs(Napi::Env env, const Route& route) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("family", VersionOf(route.family));
  object.Set("dst", route.dst);
  object.Set("gateway", route.gateway);
  object.Set("index", route.index);
  object.Set("table", static_cast<double>(route.table));
  object.Set("priority", static_cast<double>(route.priority));
  object.Set("scope", static_cast<int>(route.scope));
  object.Set("protocol", static_cast<int>(route.protocol));
  object.Set("type", static_cast<int>(route.type));
  object.Set("src", route.src);
  return object;
}

Napi::Value ToJs(Napi::Env env, const VfList& list) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("numVfs", OrNull(env, list.num_vfs));
  object.Set("queryable", Napi::Boolean::New(env, list.queryable));
  object.Set("truncated", Napi::Boolean::New(env, list.truncated));
  Napi::Array vfs = Napi::Array::New(env, list.vfs.size());
  for (std::size_t i = 0; i < list.vfs.size(); ++i) {
    vfs.Set(static_cast<std::uint32_t>(i), ToJs(env, list.vfs[i]));
  }
  object.Set("vfs", vfs);
  return object;
}

}  // namespace multus
