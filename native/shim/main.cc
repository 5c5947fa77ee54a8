// `multus`: the executable that container runtimes run. It hands the request to the daemon and
// executes plugins for it; without a daemon it becomes the standalone program beside it. It decides
// nothing about networks.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "core/version.h"
#include "shim/answer.h"
#include "shim/conversation.h"
#include "shim/interpreter.h"
#include "shim/invocation.h"
#include "shim/passthru.h"
#include "shim/probe.h"
#include "shim/standalone.h"

namespace multus {
namespace {

constexpr char kAbout[] =
    "multus " MULTUS_VERSION
    " (multus-native), CNI versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n";

// A pipe or socket of ours must not become somebody's stdin, stdout or stderr.
void OpenMissingStdio() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR);  // Takes the lowest free number.
  }
}

int RunForPeople(int argc, char** argv) {
  // Run every few seconds within the daemon's limits: no second Node for that.
  if (argc > 1 && strcmp(argv[1], "probe") == 0) return Probe(argc, argv);
  if (argc > 1) {
    // On hosts without Node the one executable is both.
    for (const char* name : {"multus-cli", "multus-standalone"}) {
      const std::string cli = BesideUs(name);
      std::string message = MissingInterpreter(cli);
      if (message.empty()) {
        execv(cli.c_str(), argv);
        if (errno == ENOENT) continue;
        message = "cannot execute " + cli + ": " + strerror(errno);
      }
      message.insert(0, "multus: ").push_back('\n');
      (void)!write(STDERR_FILENO, message.data(), message.size());
      return 1;
    }
  }
  (void)!write(STDERR_FILENO, kAbout, sizeof kAbout - 1);
  return 0;
}

std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

int Give(const Answer& answer) {
  WriteStdout(answer.bytes);
  return answer.exit_code;
}

int RunForRuntime() {
  // Children that nobody waits for would be reaped behind our back if the runtime ignored SIGCHLD.
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);

  Result<std::string> config = ReadConfig();
  if (!config.ok()) {
    const bool too_long = config.error().code == EFBIG;
    return Give(CniError("1.0.0", kDecodingFailure,
                         too_long ? "The configuration on stdin is longer than 16 MiB"
                                  : "Cannot read the configuration from stdin",
                         too_long ? "" : strerror(config.error().code)));
  }
  const Invocation invocation = MakeInvocation(std::move(config.value()));

  const Ending ending = Converse(invocation);
  switch (ending.kind) {
    case Ending::Kind::kAnswered:
      return Give(ending.answer);
    case Ending::Kind::kSignalled:
      return 128 + ending.signal;
    case Ending::Kind::kLost:
      break;
  }
  signal(SIGPIPE, SIG_DFL);  // execve hands on what is ignored.
  const Answer failure = BecomeStandalone(invocation, ending.reason);
  signal(SIGPIPE, SIG_IGN);
  return Give(failure);
}

}  // namespace
}  // namespace multus

int main(int argc, char** argv) {
  multus::OpenMissingStdio();
  const char* command = getenv("CNI_COMMAND");
  if (command == nullptr || *command == '\0') return multus::RunForPeople(argc, argv);
  if (argc > 0 && multus::NameOf(argv[0]) == multus::kPassthru) {
    return multus::Give(multus::RunPassthru(command));
  }
  return multus::RunForRuntime();
}
