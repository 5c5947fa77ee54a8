// Child processes from start to end: input, output, limits, deadlines, and nothing left behind.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace multus {

struct SpawnRequest {
  std::string path;              ///< The executable, absolute or relative to the working directory.
  std::vector<std::string> env;  ///< The whole environment, "K=V".
  size_t max_stdout = 0;  ///< Bytes kept; one more kills the group and sets `stdout_overflow`.
  size_t max_stderr = 0;  ///< Bytes kept; the rest is read and dropped, `stderr_truncated`.
};

/// How a child ended, with all that it wrote until then.
struct Exit {
  uint32_t id = 0;
  int exit_code = -1;  ///< -1 when ended by a signal.
  int signal = 0;      ///< 0 when it exited. (-1 and 0: somebody else reaped it.)
  bool timed_out = false;
  bool killed = false;
  bool stdout_overflow = false;
  bool stderr_truncated = false;
  std::string stdout_data;
  std::string stderr_data;
};

/// Starts children and follows them to their end. The owner polls fd() and calls Step() when it is
/// readable.
///
/// A child has ended when its leader (the process we started) has: a grandchild that inherited
/// stdout does not hold it up. Of a child that was killed, for whatever reason, the remaining
/// members of the group are killed as well.
///
/// Threads: an instance belongs to the thread that calls Start, for children die with it (see
/// Spawn). Ownership: owns the children; the destructor kills and reaps those that still run,
/// waiting at most one second.
class Supervisor {
 public:
  /// Errors: epoll_create1, timerfd_create, epoll_ctl; EINVAL "sigaction" when this process does
  /// not ignore or handle SIGPIPE, for then a child that does not read its stdin could kill us.
  static Result<Supervisor> Create();

  Supervisor(Supervisor&&) noexcept = default;
  Supervisor& operator=(Supervisor&&) = delete;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  /// Readable (also in another epoll) when Step() has something to do.
  int fd() const { return epoll_.get(); }
  bool empty() const { return children_.empty(); }

  /// Starts a child whose stdin stays open and empty until Feed(). `id` is the caller's name for
  /// it, free for reuse after its Exit. Errors: those of Spawn; EEXIST when `id` runs; epoll_ctl.
  Result<pid_t> Start(uint32_t id, const SpawnRequest& request);

  /// Writes `input` to the child's stdin as it reads, then closes it. A child that closes its stdin
  /// early is no error. After `deadline_ms` from now (0: never) the group gets TERM, and KILL 2 s
  /// later. Errors: ESRCH when the child has ended, EALREADY when it was fed before.
  Result<Unit> Feed(uint32_t id, std::string input, uint32_t deadline_ms);

  /// TERM to the group, KILL 2 s later. No effect on a child that has ended.
  void Kill(uint32_t id);

  /// KILL to all groups at once. The exits still come through Step().
  void KillAll();

  /// The same for the children that were not fed: they have done nothing yet.
  void KillUnfed();

  /// Does what is due, without waiting, and returns the children that ended.
  std::vector<Exit> Step();

 private:
  enum class Source : uint8_t { kTimer, kPidfd, kIn, kOut, kErr };

  struct Child {
    pid_t pid = -1;
    UniqueFd pidfd;
    UniqueFd in;
    UniqueFd out;
    UniqueFd err;
    std::string input;
    size_t written = 0;
    bool fed = false;
    size_t max_stdout = 0;
    size_t max_stderr = 0;
    int64_t term_at = 0;  // Monotonic milliseconds, 0 = never.
    int64_t kill_at = 0;
    Exit exit;
  };

  Supervisor(UniqueFd epoll, UniqueFd timer)
      : epoll_(std::move(epoll)), timer_(std::move(timer)), buffer_(64 * 1024) {}

  bool Watch(const UniqueFd& fd, uint32_t events, uint32_t id, Source source);
  void Close(UniqueFd* fd);
  void WriteInput(uint32_t id, Child* child);
  ssize_t ReadSome(UniqueFd* fd, size_t limit);
  ssize_t ReadStdout(Child* child, size_t limit);
  ssize_t ReadStderr(Child* child, size_t limit);
  void Terminate(Child* child);
  void KillNow(Child* child);
  void Finish(Child* child);
  void CheckTimes();
  void ArmTimer();

  UniqueFd epoll_;
  UniqueFd timer_;
  std::vector<char> buffer_;
  std::map<uint32_t, Child> children_;
};

}  // namespace multus
