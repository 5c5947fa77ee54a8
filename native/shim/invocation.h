// What the runtime asked for: the configuration on stdin, and what of it the shim itself must know.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace multus {

struct Invocation {
  std::string config;  ///< stdin as it came.
  std::string
      cni_version;  ///< For errors of the shim's own; "1.0.0" when the configuration names none.
  std::string operation;  ///< Unique: 32 hexadecimal digits.
  std::string socket_path;
  std::vector<std::string> plugin_dirs;  ///< binDir, then the entries of CNI_PATH.
};

/// Reads stdin to its end. Errors: "read"; EFBIG when it is longer than 16 MiB.
Result<std::string> ReadConfig();

/// Derives the rest from a configuration (any bytes) and the environment.
Invocation MakeInvocation(std::string config);

/// The HTTP request that hands `invocation` to the daemon and offers to execute plugins for it.
std::string EncodeRequest(const Invocation& invocation);

}  // namespace multus
