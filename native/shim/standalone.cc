#include "shim/standalone.h"

#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/unique_fd.h"
#include "shim/interpreter.h"

namespace multus {
namespace {

// stdin is read already: the configuration comes again, from memory.
bool ReplaceStdin(const std::string& config) {
  const UniqueFd memory(memfd_create("cni-config", MFD_CLOEXEC));
  if (!memory.valid()) return false;
  std::string_view rest = config;
  while (!rest.empty()) {
    const ssize_t n = write(memory.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return lseek(memory.get(), 0, SEEK_SET) == 0 && dup2(memory.get(), STDIN_FILENO) >= 0;
}

}  // namespace

std::string BesideUs(const char* name) {
  char buffer[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", buffer, sizeof buffer);
  const std::string_view self(buffer, length > 0 ? static_cast<size_t>(length) : 0);
  const size_t slash = self.rfind('/');
  return std::string(self.substr(0, slash == std::string_view::npos ? 0 : slash + 1)) + name;
}

Answer BecomeStandalone(const Invocation& invocation, const std::string& reason) {
  const std::string path = BesideUs("multus-standalone");
  if (const std::string missing = MissingInterpreter(path); !missing.empty()) {
    return CniError(invocation.cni_version, kIoFailure, missing,
                    "No multus daemon answers on " + invocation.socket_path + " (" + reason + ")");
  }
  int failure = 0;
  if (ReplaceStdin(invocation.config)) {
    unsetenv("NODE_OPTIONS");  // The runtime's own, if it is one of Node: not meant for us.
    setenv("MULTUS_OPERATION", invocation.operation.c_str(), 1);
    char* const argv[] = {const_cast<char*>(path.c_str()), nullptr};
    execv(path.c_str(), argv);
  }
  failure = errno;
  return CniError(invocation.cni_version, kTryAgainLater,
                  "No multus daemon answers on " + invocation.socket_path + " (" + reason +
                      ") and the standalone program " + path + " cannot be executed (" +
                      strerror(failure) + ")",
                  "Start multusd, or set daemonSocketDir to where its socket is, or install "
                  "multus-standalone beside " +
                      BesideUs("multus"));
}

}  // namespace multus
