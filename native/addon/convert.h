// The core's structs as JavaScript objects, in the shapes that src/node/native.ts declares.
// JavaScript thread only.
#pragma once

#include <napi.h>

#include <vector>

#include "core/addresses.h"
#include "core/links.h"
#include "core/netns.h"
#include "core/result.h"
#include "core/routes.h"
#include "core/vfs.h"

namespace multus {

Napi::Value ToJs(Napi::Env env, const Unit& unit);
Napi::Value ToJs(Napi::Env env, int number);
Napi::Value ToJs(Napi::Env env, const Link& link);
Napi::Value ToJs(Napi::Env env, const Address& address);
Napi::Value ToJs(Napi::Env env, const Route& route);
Napi::Value ToJs(Napi::Env env, const VfList& list);

template <typename T>
Napi::Value ToJs(Napi::Env env, const std::vector<T>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    array.Set(static_cast<std::uint32_t>(i), ToJs(env, values[i]));
  }
  return array;
}

}  // namespace multus
