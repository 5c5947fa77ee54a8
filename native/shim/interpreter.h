// Whether a program of ours that is a script can run at all.
#pragma once

#include <string>

namespace multus {

/// What is wrong when the file `path` is a script whose first line is `#!/usr/bin/env NAME` and
/// PATH has no NAME; else "". To be asked before execve: that succeeds, and `env` would end with
/// 127 and words on stderr, where a runtime shows neither.
std::string MissingInterpreter(const std::string& path);

}  // namespace multus
