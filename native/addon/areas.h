// What each file of the addon adds to the module's exports.
#pragma once

#include <napi.h>

namespace multus {

/// Namespaces, links, addresses, routes and VFs (netlink_area.cc).
void InitNetlinkArea(Napi::Env env, Napi::Object exports);

/// Child processes (process_area.cc).
void InitProcessArea(Napi::Env env, Napi::Object exports);

/// Locks between processes (lock_area.cc).
void InitLockArea(Napi::Env env, Napi::Object exports);

/// Digests (digest_area.cc).
void InitDigestArea(Napi::Env env, Napi::Object exports);

/// Durable files (file_area.cc).
void InitFileArea(Napi::Env env, Napi::Object exports);

}  // namespace multus
