// The way without a daemon.
#pragma once

#include <string>

#include "shim/answer.h"
#include "shim/invocation.h"

namespace multus {

/// Path of the file `name` in the directory that this executable lies in.
std::string BesideUs(const char* name);

/// Becomes the standalone program, with the same stdin, environment and operation; `reason` says
/// why the daemon was no use. Returns only if that fails, with the CNI error to print. Nothing of
/// ours may be blocked, ignored or running when it is called: execve hands that on.
Answer BecomeStandalone(const Invocation& invocation, const std::string& reason);

}  // namespace multus
