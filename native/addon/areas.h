// What each file of the addon adds to the module's exports.
#pragma once

#include <napi.h>

namespace multus {

/// Namespaces, links, addresses, routes and VFs (netlink_area.cc).
void InitNetlinkArea(Napi::Env env, Napi::Object exports);

/// Child processes and file locks (process_area.cc).
void InitProcessArea(Napi::Env env, Napi::Object exports);

}  // namespace multus
