#include "shim/plugins.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/unique_fd.h"

namespace multus {
namespace {

bool IsBareName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

std::string_view NameOf(std::string_view entry) { return entry.substr(0, entry.find('=')); }

// A plugin is told what it is to do by the overrides, all of it.
bool IsSaidToUs(std::string_view name) {
  return name.starts_with("CNI_") || name.starts_with("MULTUS_");
}

}  // namespace

Result<std::string> FindPlugin(const std::string& name, const std::vector<std::string>& dirs) {
  if (!IsBareName(name)) {
    return Error{.code = EINVAL, .syscall = "find", .detail = "not a bare file name: " + name};
  }
  std::string searched;
  std::string forbidden;
  for (const std::string& dir : dirs) {
    std::string path = dir;
    path.append("/").append(name);
    struct stat status;
    if (stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      if ((status.st_mode & 0111) != 0) return path;
      if (forbidden.empty()) forbidden = std::move(path);
    }
    if (!searched.empty()) searched += ", ";
    searched += dir;
  }
  if (!forbidden.empty()) {
    return Error{.code = EACCES, .syscall = "find", .detail = forbidden + " is not executable"};
  }
  return Error{.code = ENOENT, .syscall = "find", .detail = name + " is not in " + searched};
}

bool IsElf(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char start[SELFMAG];
  return read(file.get(), start, SELFMAG) == SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0;
}

std::vector<std::string> PluginEnvironment(const std::vector<std::string>& overrides) {
  std::vector<std::string> env;
  for (char** entry = environ; *entry != nullptr; entry++) {
    if (IsSaidToUs(NameOf(*entry))) continue;
    const bool overridden =
        std::any_of(overrides.begin(), overrides.end(),
                    [&](const std::string& change) { return NameOf(change) == NameOf(*entry); });
    if (!overridden) env.emplace_back(*entry);
  }
  for (const std::string& entry : overrides) {
    if (entry.find('=') != std::string::npos) env.push_back(entry);
  }
  return env;
}

}  // namespace multus
