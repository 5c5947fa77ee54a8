// Which file a plugin's name stands for, and the environment that it gets.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace multus {

/// The first executable regular file called `name` in `dirs`. The daemon says a bare name and
/// nothing else: what may be executed is the node's to decide, by these directories. Errors: EINVAL
/// when `name` is not a bare name; ENOENT, `detail` lists the directories; EACCES when all that was
/// found is not executable, `detail` has the path. The syscall is "find".
Result<std::string> FindPlugin(const std::string& name, const std::vector<std::string>& dirs);

/// Is it a program of machine code? Other files are run by an interpreter, which may do something
/// before it reads its stdin.
bool IsElf(const std::string& path);

/// Our own environment without CNI_* and MULTUS_*, and with `overrides` applied: "K=V" sets, "K"
/// unsets.
std::vector<std::string> PluginEnvironment(const std::vector<std::string>& overrides);

}  // namespace multus
