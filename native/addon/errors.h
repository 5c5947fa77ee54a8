// The core's errors as JavaScript errors.
#pragma once

#include <napi.h>

#include "core/result.h"

namespace multus {

/// An Error in Node's own shape: negative `errno`, `code` ("ENODEV"), `syscall`; and where known
/// `ifname`, `path` and `detail`. Message: "RTM_SETLINK eth0: EEXIST, File exists (detail)".
/// JavaScript thread only.
Napi::Error MakeError(Napi::Env env, const Error& error);

}  // namespace multus
