// Namespaces, links, addresses, routes and VFs for JavaScript: check the arguments, schedule,
// convert. The contract is the Native interface in src/node/native.ts.
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <napi.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "addon/areas.h"
#include "addon/arguments.h"
#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/task.h"
#include "core/addresses.h"
#include "core/link_changes.h"
#include "core/links.h"
#include "core/netlink_socket.h"
#include "core/netns.h"
#include "core/netns_id.h"
#include "core/routes.h"
#include "core/vf_changes.h"
#include "core/vfs.h"

namespace multus {

namespace {

/// Run `operation` with the socket on the pool; the promise settles with its result.
template <typename Operation>
Napi::Value Run(Napi::Env env, int fd, Operation operation) {
  using ResultType = decltype(operation(std::declval<NetlinkSocket&>()));
  using T = std::decay_t<decltype(std::declval<ResultType>().value())>;
  return Task<T>::Start(
      env,
      [fd, operation = std::move(operation)] {
        NetlinkSocket socket(fd);
        return operation(socket);
      },
      [](Napi::Env js, const T& value) { return ToJs(js, value); });
}

struct Renamed {
  bool went_down = false;
};

Napi::Value ToJs(Napi::Env env, const Renamed& renamed) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("wentDown", Napi::Boolean::New(env, renamed.went_down));
  return object;
}

struct Snapshot {
  std::vector<Link> links;
  std::vector<Address> addresses;
  std::vector<Route> routes;
};

Napi::Value ToJs(Napi::Env env, const Snapshot& snapshot) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("links", ToJs(env, snapshot.links));
  object.Set("addresses", ToJs(env, snapshot.addresses));
  object.Set("routes", ToJs(env, snapshot.routes));
  return object;
}

Result<Snapshot> TakeSnapshot(Rtnetlink& socket) {
  auto links = ListLinks(socket);
  if (!links.ok()) return std::move(links.error());
  auto addresses = ListAddresses(socket);
  if (!addresses.ok()) return std::move(addresses.error());
  auto routes = ListRoutes(socket);
  if (!routes.ok()) return std::move(routes.error());
  return Snapshot{.links = std::move(links.value()),
                  .addresses = std::move(addresses.value()),
                  .routes = std::move(routes.value())};
}

Napi::Value OpenNetnsJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.String(0, "path");
  if (arguments.failed()) return arguments.Throw();
  auto netns = OpenNetns(path);
  if (!netns.ok()) {
    MakeError(info.Env(), netns.error()).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("fd", netns.value().fd.Release());
  object.Set("dev", Napi::BigInt::New(info.Env(), netns.value().dev));
  object.Set("ino", Napi::BigInt::New(info.Env(), netns.value().ino));
  object.Set("isHost", netns.value().is_host);
  return object;
}

Napi::Value OpenSocketJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto netns_fd = static_cast<int>(arguments.Integer(0, "netnsFd", -1, Arguments::kMaxInt));
  if (arguments.failed()) return arguments.Throw();
  auto socket = OpenRouteSocketIn(netns_fd);
  if (!socket.ok()) {
    MakeError(info.Env(), socket.error()).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Napi::Number::New(info.Env(), socket.value().Release());
}

Napi::Value NetnsCookieJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  if (arguments.failed()) return arguments.Throw();
  const auto cookie = NetnsCookie(fd);
  if (!cookie.ok()) {
    MakeError(info.Env(), cookie.error()).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Napi::BigInt::New(info.Env(), cookie.value());
}

struct Entered {
  int socket = -1;
  std::uint64_t cookie = 0;
};

Napi::Value ToJs(Napi::Env env, const Entered& entered) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("socket", entered.socket);
  object.Set("cookie", Napi::BigInt::New(env, entered.cookie));
  return object;
}

Napi::Value EnterNetnsJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto netns_fd = static_cast<int>(arguments.Integer(0, "netnsFd", 0, Arguments::kMaxInt));
  if (arguments.failed()) return arguments.Throw();
  return Task<Entered>::Start(
      info.Env(),
      [netns_fd]() -> Result<Entered> {
        auto socket = OpenRouteSocketIn(netns_fd);
        if (!socket.ok()) return std::move(socket.error());
        const auto cookie = NetnsCookie(socket.value().get());
        if (!cookie.ok()) return cookie.error();
        return Entered{.socket = socket.value().Release(), .cookie = cookie.value()};
      },
      [](Napi::Env env, const Entered& entered) { return ToJs(env, entered); });
}

/// The number of another namespace, an optional argument.
std::optional<int> NsidArgument(Arguments& arguments, std::size_t position) {
  const auto nsid = arguments.OptionalInteger(position, "nsid", 0, Arguments::kMaxInt);
  return nsid ? std::optional<int>(static_cast<int>(*nsid)) : std::nullopt;
}

Napi::Value ListLinksJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const std::optional<int> nsid = NsidArgument(arguments, 1);
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [nsid](Rtnetlink& socket) { return ListLinks(socket, nsid); });
}

Napi::Value NetnsIdJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const auto netns_fd = static_cast<int>(arguments.Integer(1, "netnsFd", 0, Arguments::kMaxInt));
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [netns_fd](Rtnetlink& socket) { return NetnsId(socket, netns_fd); });
}

Napi::Value GetLinkJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  if (info[1].IsString()) {
    const std::string name = arguments.String(1, "by");
    if (arguments.failed()) return arguments.Throw();
    return Run(info.Env(), fd, [name](Rtnetlink& socket) { return GetLinkByName(socket, name); });
  }
  const auto index = static_cast<int>(arguments.Integer(1, "by", 1, Arguments::kMaxInt));
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [index](Rtnetlink& socket) { return GetLink(socket, index); });
}

Napi::Value SnapshotJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, TakeSnapshot);
}

Napi::Value RenameLinkJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const std::string name = arguments.String(2, "name");
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [index, name](Rtnetlink& socket) -> Result<Renamed> {
    auto renamed = RenameLink(socket, index, name);
    if (!renamed.ok()) return std::move(renamed.error());
    return Renamed{.went_down = renamed.value()};
  });
}

Napi::Value MoveLinkJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const auto netns_fd = static_cast<int>(arguments.Integer(2, "netnsFd", 0, Arguments::kMaxInt));
  const std::string name = arguments.String(3, "name");
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [index, netns_fd, name](Rtnetlink& socket) {
    return MoveLink(socket, index, netns_fd, name);
  });
}

Napi::Value SetLinkUpJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const bool up = arguments.Boolean(2, "up");
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [index, up](Rtnetlink& socket) { return SetLinkUp(socket, index, up); });
}

Napi::Value SetLinkMtuJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const auto mtu = static_cast<std::uint32_t>(arguments.Integer(2, "mtu", 0, Arguments::kMaxInt));
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [index, mtu](Rtnetlink& socket) { return SetLinkMtu(socket, index, mtu); });
}

/// A change that takes a link and one text.
template <Result<Unit> (*Change)(Rtnetlink&, int, const std::string&)>
Napi::Value ChangeByText(const Napi::CallbackInfo& info, const char* text_name) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const std::string text = arguments.String(2, text_name);
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [index, text](Rtnetlink& socket) { return Change(socket, index, text); });
}

Napi::Value SetLinkMacJs(const Napi::CallbackInfo& info) {
  return ChangeByText<SetLinkMac>(info, "mac");
}

Napi::Value AddAltNameJs(const Napi::CallbackInfo& info) {
  return ChangeByText<AddAltName>(info, "name");
}

Napi::Value DeleteAltNameJs(const Napi::CallbackInfo& info) {
  return ChangeByText<DeleteAltName>(info, "name");
}

Napi::Value AddAddressJs(const Napi::CallbackInfo& info) {
  return ChangeByText<AddAddress>(info, "cidr");
}

Napi::Value DeleteLinkJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [index](Rtnetlink& socket) { return DeleteLink(socket, index); });
}

Napi::Value ListAddressesJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, ListAddresses);
}

Napi::Value ListRoutesJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, ListRoutes);
}

RouteSpec ReadRouteSpec(Arguments& arguments, const Napi::Object& route) {
  const auto number = [&](const char* name) -> std::optional<std::uint32_t> {
    const auto value = arguments.OptionalInteger(route, name, 0, Arguments::kMaxU32);
    if (!value) return std::nullopt;
    return static_cast<std::uint32_t>(*value);
  };
  RouteSpec spec{
      .family = arguments.Family(route, "family"),
      .dst = arguments.String(route, "dst"),
      .gateway = arguments.OptionalString(route, "gateway"),
      .index = static_cast<int>(arguments.Integer(route, "index", 1, Arguments::kMaxInt)),
      .table = number("table"),
      .priority = number("priority"),
      .src = arguments.OptionalString(route, "src"),
      .mtu = number("mtu"),
      .advmss = number("advmss"),
      .onlink = arguments.OptionalBoolean(route, "onlink")};
  if (const auto scope = arguments.OptionalInteger(route, "scope", 0, 255)) {
    spec.scope = static_cast<std::uint8_t>(*scope);
  }
  return spec;
}

Napi::Value AddRouteJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const RouteSpec spec = ReadRouteSpec(arguments, arguments.Object(1, "route"));
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd, [spec](Rtnetlink& socket) { return AddRoute(socket, spec); });
}

Napi::Value DeleteDefaultRoutesJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int family = arguments.Family(1, "family");
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [family](Rtnetlink& socket) { return DeleteDefaultRoutes(socket, family); });
}

Napi::Value SetRouteMetricJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const Napi::Object object = arguments.Object(1, "route");
  const Route route{
      .family = arguments.Family(object, "family"),
      .dst = arguments.String(object, "dst"),
      .gateway = arguments.String(object, "gateway"),
      .index = static_cast<int>(arguments.Integer(object, "index", 0, Arguments::kMaxInt)),
      .table = RT_TABLE_MAIN,
      .priority =
          static_cast<std::uint32_t>(arguments.Integer(object, "priority", 0, Arguments::kMaxU32))};
  const auto metric =
      static_cast<std::uint32_t>(arguments.Integer(2, "metric", 1, Arguments::kMaxU32));
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [route, metric](Rtnetlink& socket) { return SetRouteMetric(socket, route, metric); });
}

Napi::Value GetVfsJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const std::optional<int> nsid = NsidArgument(arguments, 2);
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [index, nsid](Rtnetlink& socket) { return GetVfs(socket, index, nsid); });
}

/// Which change it is, is told by the one property that it has of these.
VfChange ReadVfChange(Arguments& arguments, std::size_t position) {
  const std::string kind = arguments.OneProperty(
      position, "change", {"mac", "vlan", "maxTxRate", "spoofCheck", "trust", "linkState"});
  const Napi::Object change = arguments.Object(position, "change");
  const auto number = [&](const char* name, std::int64_t max) {
    return static_cast<std::uint32_t>(arguments.Integer(change, name, 0, max));
  };
  if (kind == "mac") return VfMac{.mac = arguments.String(change, "mac")};
  if (kind == "vlan") {
    const auto qos = arguments.OptionalInteger(change, "qos", 0, 7);
    const auto protocol = arguments.OptionalInteger(change, "protocol", 0, 0xffff);
    return VfVlan{.vlan = number("vlan", 4095),
                  .qos = static_cast<std::uint32_t>(qos.value_or(0)),
                  .protocol = static_cast<std::uint16_t>(protocol.value_or(ETH_P_8021Q))};
  }
  if (kind == "spoofCheck") return VfSpoofCheck{.on = arguments.Boolean(change, "spoofCheck")};
  if (kind == "trust") return VfTrust{.on = arguments.Boolean(change, "trust")};
  if (kind == "linkState") return VfLinkState{.state = number("linkState", 2)};
  return VfRate{.min = number("minTxRate", Arguments::kMaxU32),
                .max = number("maxTxRate", Arguments::kMaxU32)};
}

Napi::Value SetVfJs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.Socket();
  const int index = arguments.Index();
  const auto vf = static_cast<std::uint32_t>(arguments.Integer(2, "vf", 0, Arguments::kMaxInt));
  const VfChange change = ReadVfChange(arguments, 3);
  if (arguments.failed()) return arguments.Throw();
  return Run(info.Env(), fd,
             [index, vf, change](Rtnetlink& socket) { return SetVf(socket, index, vf, change); });
}

}  // namespace

void InitNetlinkArea(Napi::Env env, Napi::Object exports) {
  exports.Set("openNetns", Napi::Function::New<OpenNetnsJs>(env, "openNetns"));
  exports.Set("openSocket", Napi::Function::New<OpenSocketJs>(env, "openSocket"));
  exports.Set("enterNetns", Napi::Function::New<EnterNetnsJs>(env, "enterNetns"));
  exports.Set("netnsCookie", Napi::Function::New<NetnsCookieJs>(env, "netnsCookie"));
  exports.Set("listLinks", Napi::Function::New<ListLinksJs>(env, "listLinks"));
  exports.Set("netnsId", Napi::Function::New<NetnsIdJs>(env, "netnsId"));
  exports.Set("getLink", Napi::Function::New<GetLinkJs>(env, "getLink"));
  exports.Set("snapshot", Napi::Function::New<SnapshotJs>(env, "snapshot"));
  exports.Set("renameLink", Napi::Function::New<RenameLinkJs>(env, "renameLink"));
  exports.Set("moveLink", Napi::Function::New<MoveLinkJs>(env, "moveLink"));
  exports.Set("setLinkUp", Napi::Function::New<SetLinkUpJs>(env, "setLinkUp"));
  exports.Set("setLinkMtu", Napi::Function::New<SetLinkMtuJs>(env, "setLinkMtu"));
  exports.Set("setLinkMac", Napi::Function::New<SetLinkMacJs>(env, "setLinkMac"));
  exports.Set("addAltName", Napi::Function::New<AddAltNameJs>(env, "addAltName"));
  exports.Set("deleteAltName", Napi::Function::New<DeleteAltNameJs>(env, "deleteAltName"));
  exports.Set("deleteLink", Napi::Function::New<DeleteLinkJs>(env, "deleteLink"));
  exports.Set("addAddress", Napi::Function::New<AddAddressJs>(env, "addAddress"));
  exports.Set("listAddresses", Napi::Function::New<ListAddressesJs>(env, "listAddresses"));
  exports.Set("listRoutes", Napi::Function::New<ListRoutesJs>(env, "listRoutes"));
  exports.Set("addRoute", Napi::Function::New<AddRouteJs>(env, "addRoute"));
  exports.Set("deleteDefaultRoutes",
              Napi::Function::New<DeleteDefaultRoutesJs>(env, "deleteDefaultRoutes"));
  exports.Set("setRouteMetric", Napi::Function::New<SetRouteMetricJs>(env, "setRouteMetric"));
  exports.Set("getVfs", Napi::Function::New<GetVfsJs>(env, "getVfs"));
  exports.Set("setVf", Napi::Function::New<SetVfJs>(env, "setVf"));
}

}  // namespace multus
