#include "core/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>

namespace multus {
namespace {

// The child makes a dozen shallow libc calls on this stack and then execve replaces it.
constexpr size_t kStackSize = 16 * 1024;

// All that the child needs, made ready before clone: it may neither allocate nor lock. It runs in
// our memory while the calling thread stands still, so what it writes to `failed_*` is there when
// clone returns.
struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* envp;
  int in;
  int out;
  int err;
  pid_t parent;
  int failed_errno;
  const char* failed_call;
};

[[noreturn]] void Fail(ChildPlan* plan, const char* call) {
  plan->failed_errno = errno;
  plan->failed_call = call;
  _exit(127);
}

// Not instrumented: a sanitizer takes this stack for the calling thread's own and misjudges it.
__attribute__((no_sanitize("address", "undefined"))) int RunChild(void* argument) {
  auto* plan = static_cast<ChildPlan*>(argument);
  if (setpgid(0, 0) != 0) Fail(plan, "setpgid");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Fail(plan, "prctl");
  // A parent that died before the prctl sends no signal any more.
  if (getppid() != plan->parent) _exit(127);

  // Handlers would run in the parent's memory, and Node's ignored SIGPIPE would be inherited
  // through execve. The mask is opened only after this.
  struct sigaction reset = {};
  reset.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &reset, nullptr);

  if (dup2(plan->in, STDIN_FILENO) < 0) Fail(plan, "dup2");
  if (dup2(plan->out, STDOUT_FILENO) < 0) Fail(plan, "dup2");
  if (dup2(plan->err, STDERR_FILENO) < 0) Fail(plan, "dup2");
  // For descriptors that somebody opened without O_CLOEXEC: a lock file inherited by a plugin's
  // daemon would stay locked. Kernels before 5.11 do not know the call and keep what they have.
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);

  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(plan->path, plan->argv, plan->envp);
  Fail(plan, "execve");
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// Moves a descriptor above the standard three, which the child's dup2 calls overwrite one by one.
bool MoveAboveStdio(UniqueFd* fd) {
  if (fd->get() > STDERR_FILENO) return true;
  fd->Reset(fcntl(fd->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return fd->valid();
}

Result<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoError("pipe2");
  Pipe made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (!MoveAboveStdio(&made.read) || !MoveAboveStdio(&made.write)) return ErrnoError("fcntl");
  return made;
}

void SetNonBlocking(const UniqueFd& fd) { fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

// clone(2) with all signals blocked: no handler of ours may run in the child while it shares our
// memory.
int CloneBlocked(ChildPlan* plan, int* pidfd) {
  alignas(16) std::byte stack[kStackSize];
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  const int pid = clone(RunChild, stack + kStackSize,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, plan, pidfd);
  const int clone_errno = errno;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  errno = clone_errno;
  return pid;
}

}  // namespace

Result<Spawned> Spawn(const std::string& path, const std::vector<std::string>& env) {
  Result<Pipe> in = MakePipe();
  if (!in.ok()) return in.error();
  Result<Pipe> out = MakePipe();
  if (!out.ok()) return out.error();
  Result<Pipe> err = MakePipe();
  if (!err.ok()) return err.error();

  // execve wants char*, and does not write through it.
  std::vector<char*> envp;
  envp.reserve(env.size() + 1);
  for (const std::string& entry : env) envp.push_back(const_cast<char*>(entry.c_str()));
  envp.push_back(nullptr);
  char* const argv[] = {const_cast<char*>(path.c_str()), nullptr};

  ChildPlan plan{.path = path.c_str(),
                 .argv = argv,
                 .envp = envp.data(),
                 .in = in.value().read.get(),
                 .out = out.value().write.get(),
                 .err = err.value().write.get(),
                 .parent = getpid(),
                 .failed_errno = 0,
                 .failed_call = nullptr};
  int pidfd = -1;
  const pid_t pid = CloneBlocked(&plan, &pidfd);
  if (pid < 0) return ErrnoError("clone");

  Spawned child{pid, UniqueFd(pidfd), std::move(in.value().write), std::move(out.value().read),
                std::move(err.value().read)};
  if (plan.failed_call != nullptr) {
    siginfo_t info;
    while (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) != 0 && errno == EINTR) {
    }
    return Error{.code = plan.failed_errno, .syscall = plan.failed_call, .path = path};
  }
  SetNonBlocking(child.in);
  SetNonBlocking(child.out);
  SetNonBlocking(child.err);
  return child;
}

}  // namespace multus
