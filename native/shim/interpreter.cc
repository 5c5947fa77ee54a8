#include "shim/interpreter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "core/unique_fd.h"

namespace multus {
namespace {

constexpr std::string_view kByEnv = "#!/usr/bin/env ";
constexpr const char* kDefaultPath = "/bin:/usr/bin";  // As execvp has it.

// "" for everything else than a script that is run by env.
std::string InterpreterOf(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[256];
  const ssize_t n = file.valid() ? read(file.get(), buffer, sizeof buffer) : 0;
  std::string_view line(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  if (!line.starts_with(kByEnv)) return "";
  line.remove_prefix(kByEnv.size());
  return std::string(line.substr(0, line.find_first_of(" \t\n")));
}

bool IsIn(std::string_view search_path, const std::string& name) {
  for (;;) {
    const size_t end = search_path.find(':');
    const std::string_view dir = search_path.substr(0, end);
    const std::string path = std::string(dir.empty() ? "." : dir) + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return true;
    if (end == std::string_view::npos) return false;
    search_path.remove_prefix(end + 1);
  }
}

}  // namespace

std::string MissingInterpreter(const std::string& path) {
  const std::string name = InterpreterOf(path);
  const char* variable = getenv("PATH");
  const std::string search_path = variable == nullptr ? kDefaultPath : variable;
  if (name.empty() || IsIn(search_path, name)) return "";
  return path.substr(path.rfind('/') + 1) + " cannot start: no \"" + name + "\" in PATH (" +
         search_path + "); install Node 20 or the single executable";
}

}  // namespace multus
