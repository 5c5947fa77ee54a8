// Real children under the supervisor. What each test guards is in its comment.
#include "core/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>

#include "test/test.h"

namespace multus {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPatienceMs = 10'000;

Supervisor MakeSupervisor() {
  signal(SIGPIPE, SIG_IGN);
  Result<Supervisor> made = Supervisor::Create();
  if (!made.ok()) abort();
  return std::move(made.value());
}

SpawnRequest Request(std::string path) {
  return {.path = std::move(path),
          .env = {"PATH=/usr/bin:/bin"},
          .max_stdout = 1 << 22,
          .max_stderr = 1 << 16};
}

// A directory for the files of one test; removed with them.
class TempDir {
 public:
  TempDir() {
    if (mkdtemp(path_) == nullptr) abort();
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { (void)!system(("rm -rf " + std::string(path_)).c_str()); }
  std::string File(const char* name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/supervisor_test.XXXXXX";
};

void WriteFile(const std::string& path, const std::string& text, mode_t mode) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd.valid() ||
      write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    abort();
  }
}

// A shell script as a plugin; it must be closed before it is executed.
std::string Script(const TempDir& dir, const char* name, const std::string& body) {
  const std::string path = dir.File(name);
  WriteFile(path, "#!/bin/sh\n" + body, 0755);
  return path;
}

bool WaitReadable(int fd) {
  pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&ready, 1, kPatienceMs) > 0;
}

// `text` as one whole line of a longer output.
std::string Line(std::string_view text) {
  std::string line(1, '\n');
  line.append(text).push_back('\n');
  return line;
}

// The next exit. With several children the caller sorts by id.
std::optional<Exit> WaitForExit(Supervisor* supervisor) {
  const auto until = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (Clock::now() < until && WaitReadable(supervisor->fd())) {
    std::vector<Exit> ended = supervisor->Step();
    if (!ended.empty()) return std::move(ended.front());
  }
  return std::nullopt;
}

Exit RunToEnd(const SpawnRequest& request, std::string input = {}, uint32_t deadline_ms = 0) {
  Supervisor supervisor = MakeSupervisor();
  const Result<pid_t> pid = supervisor.Start(1, request);
  EXPECT(pid.ok());
  if (!pid.ok()) return {};
  EXPECT(supervisor.Feed(1, std::move(input), deadline_ms).ok());
  std::optional<Exit> exit = WaitForExit(&supervisor);
  EXPECT(exit.has_value());
  EXPECT(supervisor.empty());
  return exit.value_or(Exit{});
}

// A process that is gone or a zombie of somebody else's.
bool HasEnded(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t n = fd.valid() ? read(fd.get(), text, sizeof text) : 0;
  if (n <= 0) return true;
  const std::string stat(text, static_cast<size_t>(n));
  const size_t paren = stat.rfind(')');
  return paren != std::string::npos && stat.compare(paren, 3, ") Z") == 0;
}

bool EndsSoon(pid_t pid) {
  const auto until = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (Clock::now() < until) {
    if (HasEnded(pid)) return true;
    usleep(1000);
  }
  return false;
}

// The pid that a script writes into a file, 0 if it never does.
pid_t AwaitPid(const std::string& path) {
  const auto until = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (Clock::now() < until) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char text[32] = {};
    if (fd.valid() && read(fd.get(), text, sizeof text - 1) > 0) return atoi(text);
    usleep(1000);
  }
  return 0;
}

int64_t MsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

// Without these a pod whose plugin is missing or being upgraded fails with no reason given.
TEST(Start_reports_what_execve_says) {
  const TempDir dir;
  Supervisor supervisor = MakeSupervisor();

  Result<pid_t> missing = supervisor.Start(1, Request(dir.File("absent")));
  EXPECT(!missing.ok() && missing.error().code == ENOENT);
  EXPECT(!missing.ok() && missing.error().syscall == "execve");
  EXPECT(!missing.ok() && missing.error().path == dir.File("absent"));

  WriteFile(dir.File("plain"), "x", 0644);
  Result<pid_t> plain = supervisor.Start(1, Request(dir.File("plain")));
  EXPECT(!plain.ok() && plain.error().code == EACCES);

  WriteFile(dir.File("garbage"), "no program", 0755);
  Result<pid_t> garbage = supervisor.Start(1, Request(dir.File("garbage")));
  EXPECT(!garbage.ok() && garbage.error().code == ENOEXEC);

  WriteFile(dir.File("no-interpreter"), "#!/absent/interpreter\n", 0755);
  Result<pid_t> interpreter = supervisor.Start(1, Request(dir.File("no-interpreter")));
  EXPECT(!interpreter.ok() && interpreter.error().code == ENOENT);

  EXPECT(supervisor.empty());
  // The failed children are reaped: nothing is left to wait for.
  EXPECT(waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD);
}

// A plugin that an installer is still writing is retried by the daemon only if it learns of
// ETXTBSY.
TEST(Start_reports_ETXTBSY_while_the_file_is_open_for_writing) {
  const TempDir dir;
  const std::string path = dir.File("cat");
  EXPECT_EQ(system(("cp /bin/cat " + path).c_str()), 0);
  Supervisor supervisor = MakeSupervisor();
  {
    const UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    Result<pid_t> busy = supervisor.Start(1, Request(path));
    EXPECT(!busy.ok() && busy.error().code == ETXTBSY);
  }
  EXPECT(supervisor.Start(1, Request(path)).ok());
}

// A reused id would mix up two delegates' results.
TEST(Start_refuses_an_id_that_runs) {
  Supervisor supervisor = MakeSupervisor();
  EXPECT(supervisor.Start(1, Request("/bin/cat")).ok());
  Result<pid_t> second = supervisor.Start(1, Request("/bin/cat"));
  EXPECT(!second.ok() && second.error().code == EEXIST);
  EXPECT(supervisor.Feed(1, "", 0).ok());
  EXPECT(WaitForExit(&supervisor).has_value());
  EXPECT(supervisor.Start(1, Request("/bin/cat")).ok());
}

// Otherwise a plugin that ignores its stdin could end the daemon.
TEST(Create_refuses_a_process_that_SIGPIPE_can_kill) {
  signal(SIGPIPE, SIG_DFL);
  Result<Supervisor> refused = Supervisor::Create();
  EXPECT(!refused.ok() && refused.error().code == EINVAL);
  signal(SIGPIPE, SIG_IGN);
}

// The plain case: a delegate's result, exit code and error text.
TEST(Exit_carries_output_and_code) {
  const TempDir dir;
  const Exit exit = RunToEnd(Request(Script(dir, "p", "cat; echo oops >&2; exit 3")), "hello");
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_EQ(exit.stdout_data, "hello");
  EXPECT_EQ(exit.stderr_data, "oops\n");
  EXPECT(!exit.timed_out && !exit.killed && !exit.stdout_overflow && !exit.stderr_truncated);
}

TEST(Exit_carries_the_signal_of_a_child_that_crashed) {
  const TempDir dir;
  const Exit exit = RunToEnd(Request(Script(dir, "p", "kill -SEGV $$")));
  EXPECT_EQ(exit.exit_code, -1);
  EXPECT_EQ(exit.signal, SIGSEGV);
}

// A delegate must see the CNI environment, that only, and no state of ours: blocked TERM would make
// it unkillable, ignored SIGPIPE would change how shell plugins behave, an inherited descriptor
// could hold a lock for ever.
TEST(Start_gives_the_child_a_clean_process) {
  const TempDir dir;
  const std::string path = Script(dir, "p",
                                  "env | grep -v -e ^PWD -e ^SHLVL -e ^_=; echo end-of-env\n"
                                  "grep -E '^Sig(Blk|Ign)' /proc/self/status\n"
                                  "ls /proc/$$/fd; pwd");
  const int leaked = open("/dev/null", O_RDONLY);  // Not close-on-exec, on purpose.
  EXPECT(leaked > 2);
  sigset_t blocked;
  sigset_t previous;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &previous);
  SpawnRequest request = Request(path);
  request.env.push_back("CNI_COMMAND=ADD");
  const Exit exit = RunToEnd(request);
  sigprocmask(SIG_SETMASK, &previous, nullptr);
  close(leaked);
  EXPECT(exit.stdout_data.find("CNI_COMMAND=ADD\n") != std::string::npos);
  EXPECT(exit.stdout_data.find("HOME=") == std::string::npos);
  EXPECT(exit.stdout_data.find("SigBlk:\t0000000000000000") != std::string::npos);
  EXPECT(exit.stdout_data.find("SigIgn:\t0000000000000000") != std::string::npos);
  EXPECT(exit.stdout_data.find(Line(std::to_string(leaked))) == std::string::npos);
  char* cwd = get_current_dir_name();
  EXPECT(exit.stdout_data.ends_with(Line(cwd)));
  free(cwd);
}

// Our ends may get the numbers 0 to 2 when the runtime starts us with closed descriptors.
TEST(Start_works_with_closed_standard_descriptors) {
  const pid_t pid = fork();
  if (pid == 0) {
    close(0);
    close(1);
    close(2);
    Supervisor supervisor = MakeSupervisor();
    if (!supervisor.Start(1, Request("/bin/cat")).ok()) _exit(2);
    if (!supervisor.Feed(1, "through", 0).ok()) _exit(3);
    const std::optional<Exit> exit = WaitForExit(&supervisor);
    _exit(exit.has_value() && exit->stdout_data == "through" ? 0 : 4);
  }
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

// The overlap of plugin start-up with the previous plugin's work rests on this.
TEST(Feed_gives_withheld_stdin_of_a_megabyte) {
  Supervisor supervisor = MakeSupervisor();
  EXPECT(supervisor.Start(1, Request("/bin/cat")).ok());
  pollfd idle{.fd = supervisor.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&idle, 1, 50), 0);  // It waits for its stdin, and so nothing happens.
  std::string input(1 << 20, 'x');
  for (size_t i = 0; i < input.size(); i++) input[i] = static_cast<char>('a' + i % 23);
  EXPECT(supervisor.Feed(1, input, 0).ok());
  const std::optional<Exit> exit = WaitForExit(&supervisor);
  EXPECT(exit.has_value() && exit->exit_code == 0 && exit->stdout_data == input);
}

TEST(Feed_refuses_the_unknown_and_the_fed) {
  Supervisor supervisor = MakeSupervisor();
  Result<Unit> unknown = supervisor.Feed(7, "x", 0);
  EXPECT(!unknown.ok() && unknown.error().code == ESRCH);
  EXPECT(supervisor.Start(7, Request("/bin/cat")).ok());
  EXPECT(supervisor.Feed(7, "x", 0).ok());
  Result<Unit> again = supervisor.Feed(7, "y", 0);
  EXPECT(!again.ok() && again.error().code == EALREADY);
}

// Plugins may exit without reading their configuration (VERSION, for one).
TEST(Feed_tolerates_a_child_that_does_not_read) {
  const Exit exit = RunToEnd(Request("/bin/true"), std::string(1 << 20, 'x'));
  EXPECT_EQ(exit.exit_code, 0);
}

// One delegate that prints without end must not take the node's memory.
TEST(Overflow_of_stdout_kills_the_group_at_once) {
  const TempDir dir;
  SpawnRequest request = Request(Script(dir, "p", "trap '' TERM; yes"));
  request.max_stdout = 100'000;
  const Clock::time_point start = Clock::now();
  const Exit exit = RunToEnd(request);
  EXPECT(exit.stdout_overflow);
  EXPECT_EQ(exit.stdout_data.size(), 100'000U);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT(MsSince(start) < 1900);
}

TEST(Overflow_is_one_byte_more_than_allowed) {
  SpawnRequest request = Request("/bin/cat");
  request.max_stdout = 10;
  EXPECT(!RunToEnd(request, "0123456789").stdout_overflow);
  const Exit over = RunToEnd(request, "0123456789a");
  EXPECT(over.stdout_overflow);
  EXPECT_EQ(over.stdout_data, "0123456789");
}

// A chatty plugin keeps working; its log is cut.
TEST(Stderr_beyond_its_limit_is_dropped) {
  const TempDir dir;
  SpawnRequest request = Request(Script(dir, "p", "head -c 1000000 /dev/zero >&2; echo fine"));
  request.max_stderr = 1000;
  const Exit exit = RunToEnd(request);
  EXPECT(exit.stderr_truncated);
  EXPECT_EQ(exit.stderr_data.size(), 1000U);
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_EQ(exit.stdout_data, "fine\n");
}

// Runs a script that writes $PID_FILE once its traps stand, and feeds it only then.
Exit RunTrapping(const std::string& body, uint32_t deadline_ms) {
  const TempDir dir;
  SpawnRequest request = Request(Script(dir, "p", body));
  request.env.push_back("PID_FILE=" + dir.File("pid"));
  Supervisor supervisor = MakeSupervisor();
  EXPECT(supervisor.Start(1, request).ok());
  EXPECT(AwaitPid(dir.File("pid")) > 1);
  EXPECT(supervisor.Feed(1, "", deadline_ms).ok());
  return WaitForExit(&supervisor).value_or(Exit{});
}

// A hanging delegate must not hold the pod, even when it ignores TERM.
TEST(Deadline_kills_a_child_that_ignores_TERM) {
  const Clock::time_point start = Clock::now();
  const Exit exit =
      RunTrapping("trap '' TERM; echo before; echo $$ > $PID_FILE; while :; do sleep 1; done", 100);
  EXPECT(exit.timed_out);
  EXPECT(!exit.killed);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.stdout_data, "before\n");
  EXPECT(MsSince(start) >= 2050);  // The grace between TERM and KILL.
}

// TERM first: a delegate may undo what it did.
TEST(Deadline_lets_a_child_end_in_order) {
  const Exit exit = RunTrapping(
      "trap 'echo undone; exit 9' TERM; echo $$ > $PID_FILE; while :; do sleep 0.02; done", 50);
  EXPECT(exit.timed_out);
  EXPECT_EQ(exit.exit_code, 9);
  EXPECT_EQ(exit.stdout_data, "undone\n");
}

// The time that a plugin waits for its stdin is not its own.
TEST(Deadline_counts_from_the_feeding) {
  Supervisor supervisor = MakeSupervisor();
  EXPECT(supervisor.Start(1, Request("/bin/cat")).ok());
  pollfd idle{.fd = supervisor.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&idle, 1, 600), 0);
  EXPECT(supervisor.Feed(1, "x", 500).ok());
  const std::optional<Exit> exit = WaitForExit(&supervisor);
  EXPECT(exit.has_value() && !exit->timed_out && exit->exit_code == 0);
}

// A child that made it is not to be called late because our loop was.
TEST(Deadline_spares_a_child_that_ended_before_we_looked) {
  const TempDir dir;
  Supervisor supervisor = MakeSupervisor();
  Result<pid_t> pid = supervisor.Start(1, Request("/bin/cat"));
  EXPECT(pid.ok());
  EXPECT(supervisor.Feed(1, "x", 30).ok());
  EXPECT(EndsSoon(pid.value()));
  usleep(50'000);  // The deadline passes while nobody calls Step().
  const std::optional<Exit> exit = WaitForExit(&supervisor);
  EXPECT(exit.has_value() && !exit->timed_out && exit->exit_code == 0);
}

// Daemons that a plugin leaves behind (dhcp, for one) often hold its stdout: the pod must not wait
// for them.
TEST(Exit_does_not_wait_for_a_grandchild_that_holds_stdout) {
  const TempDir dir;
  const Clock::time_point start = Clock::now();
  const Exit exit = RunToEnd(Request(Script(dir, "p", "sleep 30 & echo $!")));
  EXPECT(MsSince(start) < 2000);
  EXPECT_EQ(exit.exit_code, 0);
  const pid_t grandchild = atoi(exit.stdout_data.c_str());
  EXPECT(grandchild > 1);
  EXPECT(!HasEnded(grandchild));  // It ended in order: what it left behind is its own affair.
  kill(grandchild, SIGKILL);
}

// What a killed delegate started would go on configuring the pod's network behind our back.
TEST(Kill_ends_grandchildren_too) {
  const TempDir dir;
  const std::string path =
      Script(dir, "p",
             "sh -c \"trap '' TERM; echo \\$\\$ > $PID_FILE.new; mv $PID_FILE.new $PID_FILE; "
             "while :; do sleep 0.1; done\" & wait");
  SpawnRequest request = Request(path);
  request.env.push_back("PID_FILE=" + dir.File("pid"));
  Supervisor supervisor = MakeSupervisor();
  EXPECT(supervisor.Start(1, request).ok());
  const pid_t grandchild = AwaitPid(dir.File("pid"));
  EXPECT(grandchild > 1);
  supervisor.Kill(1);
  supervisor.Kill(1);
  const std::optional<Exit> exit = WaitForExit(&supervisor);
  EXPECT(exit.has_value() && exit->killed && !exit->timed_out && exit->signal == SIGTERM);
  EXPECT(EndsSoon(grandchild));
  supervisor.Kill(1);  // No effect any more.
}

// The journal records an operation as over when the supervisor is gone; then nothing of it may run.
TEST(Destructor_kills_and_reaps) {
  pid_t first = 0;
  pid_t second = 0;
  {
    Supervisor supervisor = MakeSupervisor();
    first = supervisor.Start(1, Request("/bin/cat")).value();
    second = supervisor.Start(2, Request("/bin/cat")).value();
  }
  EXPECT(kill(first, 0) != 0 && errno == ESRCH);
  EXPECT(kill(second, 0) != 0 && errno == ESRCH);
}

TEST(KillAll_reports_every_child) {
  Supervisor supervisor = MakeSupervisor();
  for (uint32_t id = 1; id <= 70; id++) EXPECT(supervisor.Start(id, Request("/bin/cat")).ok());
  supervisor.KillAll();
  size_t ended = 0;
  while (!supervisor.empty() && WaitReadable(supervisor.fd())) {
    for (const Exit& exit : supervisor.Step()) ended += exit.killed && exit.signal == SIGKILL;
  }
  EXPECT_EQ(ended, 70U);
}

// An operation whose shim is killed must not leave a delegate at work.
TEST(Children_die_with_their_parent) {
  const TempDir dir;
  const std::string path = Script(dir, "p", "exec sleep 60");  // Does not mind that its stdin ends.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int report[2];
  EXPECT_EQ(pipe2(report, O_CLOEXEC), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    Supervisor supervisor = MakeSupervisor();
    const Result<pid_t> pid = supervisor.Start(1, Request(path));
    const pid_t child = pid.ok() ? pid.value() : 0;
    if (write(report[1], &child, sizeof child) != sizeof child) abort();
    kill(getpid(), SIGKILL);
  }
  pid_t child = 0;
  EXPECT_EQ(read(report[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  EXPECT_EQ(waitpid(parent, nullptr, 0), parent);
  EXPECT(child > 1);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  close(report[0]);
  close(report[1]);
}

// Node has children of its own: reaping them would break child_process.
TEST(Step_leaves_other_children_alone) {
  const pid_t other = fork();
  if (other == 0) _exit(7);
  EXPECT(EndsSoon(other));
  EXPECT_EQ(RunToEnd(Request("/bin/true")).exit_code, 0);
  int status = 0;
  EXPECT_EQ(waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

// A daemon that runs for months must not lose a descriptor per delegate.
TEST(Descriptors_are_all_closed) {
  const auto count = [] {
    const UniqueFd next(dup(0));
    return next.get();
  };
  Supervisor supervisor = MakeSupervisor();
  const int before = count();
  for (uint32_t id = 1; id <= 50; id++) {
    EXPECT(supervisor.Start(id, Request("/bin/cat")).ok());
    EXPECT(!supervisor.Start(1000, Request("/absent")).ok());
    EXPECT(supervisor.Feed(id, "x", 1000).ok());
    EXPECT(WaitForExit(&supervisor).has_value());
  }
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace multus
