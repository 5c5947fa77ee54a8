#include "core/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "core/spawn.h"

namespace multus {
namespace {

constexpr int64_t kGraceMs = 2000;  // Between TERM and KILL.
constexpr int64_t kReapOnDestroyMs =
    1000;  // A killed process ends at once unless the kernel holds it.
constexpr int kEventsPerStep = 64;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// The leader may have left its group, hence the second call. It is not reaped yet, so both ids are
// still its own.
void SignalGroup(pid_t leader, const UniqueFd& pidfd, int signal) {
  const bool reached = kill(-leader, signal) == 0;
  if (!reached || signal == SIGKILL)
    syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

size_t BytesHeld(const UniqueFd& fd) {
  int held = 0;
  if (!fd.valid() || ioctl(fd.get(), FIONREAD, &held) != 0) return 0;
  return static_cast<size_t>(std::max(held, 0));
}

}  // namespace

Result<Supervisor> Supervisor::Create() {
  struct sigaction pipe_action;
  if (sigaction(SIGPIPE, nullptr, &pipe_action) != 0) return ErrnoError("sigaction");
  if (pipe_action.sa_handler == SIG_DFL) {
    return Error{
        .code = EINVAL, .syscall = "sigaction", .detail = "SIGPIPE has its default action"};
  }
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoError("epoll_create1");
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer.valid()) return ErrnoError("timerfd_create");
  Supervisor made(std::move(epoll), std::move(timer));
  if (!made.Watch(made.timer_, EPOLLIN, 0, Source::kTimer)) return ErrnoError("epoll_ctl");
  return made;
}

Supervisor::~Supervisor() {
  KillAll();
  const int64_t until = NowMs() + kReapOnDestroyMs;
  while (!children_.empty()) {
    const int64_t left = until - NowMs();
    pollfd ready{.fd = epoll_.get(), .events = POLLIN, .revents = 0};
    if (left <= 0 || (poll(&ready, 1, static_cast<int>(left)) < 0 && errno != EINTR)) break;
    Step();
  }
}

Result<pid_t> Supervisor::Start(uint32_t id, const SpawnRequest& request) {
  if (children_.contains(id)) {
    return Error{.code = EEXIST, .syscall = "start", .path = request.path};
  }
  Result<Spawned> spawned = Spawn(request.path, request.env);
  if (!spawned.ok()) return spawned.error();

  Child child;
  child.pid = spawned.value().pid;
  child.pidfd = std::move(spawned.value().pidfd);
  child.in = std::move(spawned.value().in);
  child.out = std::move(spawned.value().out);
  child.err = std::move(spawned.value().err);
  child.max_stdout = request.max_stdout;
  child.max_stderr = request.max_stderr;
  child.exit.id = id;
  if (!Watch(child.pidfd, EPOLLIN, id, Source::kPidfd) ||
      !Watch(child.out, EPOLLIN, id, Source::kOut) ||
      !Watch(child.err, EPOLLIN, id, Source::kErr)) {
    const Error error = ErrnoError("epoll_ctl");
    SignalGroup(child.pid, child.pidfd, SIGKILL);
    Finish(&child);
    return error;
  }
  const pid_t pid = child.pid;
  children_.emplace(id, std::move(child));
  return pid;
}

Result<Unit> Supervisor::Feed(uint32_t id, std::string input, uint32_t deadline_ms) {
  const auto found = children_.find(id);
  if (found == children_.end()) return Error{.code = ESRCH, .syscall = "feed"};
  Child& child = found->second;
  if (child.fed) return Error{.code = EALREADY, .syscall = "feed"};
  child.fed = true;
  child.input = std::move(input);
  if (deadline_ms > 0 && child.kill_at == 0) {
    child.term_at = NowMs() + deadline_ms;
    ArmTimer();
  }
  WriteInput(id, &child);
  return Unit{};
}

void Supervisor::Kill(uint32_t id) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;
  found->second.exit.killed = true;
  Terminate(&found->second);
  ArmTimer();
}

void Supervisor::KillNow(Child* child) {
  child->exit.killed = true;
  child->term_at = 0;
  child->kill_at = 0;
  SignalGroup(child->pid, child->pidfd, SIGKILL);
}

void Supervisor::KillAll() {
  for (auto& [id, child] : children_) KillNow(&child);
}

void Supervisor::KillUnfed() {
  for (auto& [id, child] : children_) {
    if (!child.fed) KillNow(&child);
  }
}

std::vector<Exit> Supervisor::Step() {
  epoll_event events[kEventsPerStep];
  const int count = epoll_wait(epoll_.get(), events, kEventsPerStep, 0);
  std::vector<Exit> ended;
  bool timer_due = false;
  for (int i = 0; i < count; i++) {
    const auto source = static_cast<Source>(events[i].data.u64 & 0xff);
    if (source == Source::kTimer) {
      timer_due = true;
      continue;
    }
    const auto found = children_.find(static_cast<uint32_t>(events[i].data.u64 >> 8));
    if (found == children_.end()) continue;  // Ended earlier in this batch.
    Child& child = found->second;
    switch (source) {
      case Source::kIn:
        WriteInput(found->first, &child);
        break;
      case Source::kOut:
        ReadStdout(&child, buffer_.size());
        break;
      case Source::kErr:
        ReadStderr(&child, buffer_.size());
        break;
      case Source::kPidfd:
        Finish(&child);
        ended.push_back(std::move(child.exit));
        children_.erase(found);
        break;
      case Source::kTimer:
        break;
    }
  }
  // After the exits: a child that ended in time is not to be called late because we were.
  if (timer_due) CheckTimes();
  return ended;
}

bool Supervisor::Watch(const UniqueFd& fd, uint32_t events, uint32_t id, Source source) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = uint64_t{id} << 8 | static_cast<uint8_t>(source);
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0;
}

// Taken out of the epoll by hand: closing does that only once no other process, such as a fork of
// another thread that has not reached its execve, holds the same pipe.
void Supervisor::Close(UniqueFd* fd) {
  if (!fd->valid()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd->get(), nullptr);
  fd->Reset();
}

void Supervisor::WriteInput(uint32_t id, Child* child) {
  while (child->in.valid() && child->written < child->input.size()) {
    const ssize_t n = write(child->in.get(), child->input.data() + child->written,
                            child->input.size() - child->written);
    if (n >= 0) {
      child->written += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      // EEXIST from the second time on: it is watched already.
      if (Watch(child->in, EPOLLOUT, id, Source::kIn) || errno == EEXIST) return;
      break;
    } else if (errno != EINTR) {
      break;  // EPIPE: the child does not want it. Its exit tells how it fared without.
    }
  }
  Close(&child->in);
  child->input = std::string();
}

// One read of at most `limit` bytes into buffer_. Closes the pipe at its end. Returns what read(2)
// does.
ssize_t Supervisor::ReadSome(UniqueFd* fd, size_t limit) {
  if (!fd->valid()) return 0;
  ssize_t n;
  do {
    n = read(fd->get(), buffer_.data(), std::min(limit, buffer_.size()));
  } while (n < 0 && errno == EINTR);
  if (n == 0 || (n < 0 && errno != EAGAIN)) Close(fd);
  return n;
}

ssize_t Supervisor::ReadStdout(Child* child, size_t limit) {
  const ssize_t n = ReadSome(&child->out, limit);
  if (n <= 0) return n;
  const size_t room = child->max_stdout - child->exit.stdout_data.size();
  child->exit.stdout_data.append(buffer_.data(), std::min(room, static_cast<size_t>(n)));
  if (static_cast<size_t>(n) > room) {
    child->exit.stdout_overflow = true;
    SignalGroup(child->pid, child->pidfd, SIGKILL);
    Close(&child->out);
  }
  return n;
}

ssize_t Supervisor::ReadStderr(Child* child, size_t limit) {
  const ssize_t n = ReadSome(&child->err, limit);
  if (n <= 0) return n;
  const size_t room = child->max_stderr - child->exit.stderr_data.size();
  child->exit.stderr_data.append(buffer_.data(), std::min(room, static_cast<size_t>(n)));
  if (static_cast<size_t>(n) > room) child->exit.stderr_truncated = true;
  return n;
}

void Supervisor::Terminate(Child* child) {
  child->term_at = 0;
  if (child->kill_at != 0) return;  // On its way already.
  SignalGroup(child->pid, child->pidfd, SIGTERM);
  child->kill_at = NowMs() + kGraceMs;
}

// Collects what the pipes hold at this moment, ends the group if it was to be ended, and reaps the
// leader: last, because its id names the group only as long as it is there.
void Supervisor::Finish(Child* child) {
  for (size_t held = BytesHeld(child->out); held > 0 && child->out.valid();) {
    const ssize_t n = ReadStdout(child, held);
    if (n <= 0) break;
    held -= static_cast<size_t>(n);
  }
  for (size_t held = BytesHeld(child->err); held > 0 && child->err.valid();) {
    const ssize_t n = ReadStderr(child, held);
    if (n <= 0) break;
    held -= static_cast<size_t>(n);
  }
  Exit& exit = child->exit;
  if (exit.killed || exit.timed_out || exit.stdout_overflow) {
    SignalGroup(child->pid, child->pidfd, SIGKILL);
  }
  siginfo_t info = {};
  int waited;
  do {
    waited = waitid(P_PIDFD, static_cast<id_t>(child->pidfd.get()), &info, WEXITED);
  } while (waited != 0 && errno == EINTR);
  if (waited == 0 && info.si_code == CLD_EXITED) {
    exit.exit_code = info.si_status;
  } else if (waited == 0) {
    exit.signal = info.si_status;
  }
  Close(&child->in);
  Close(&child->out);
  Close(&child->err);
  Close(&child->pidfd);
}

void Supervisor::CheckTimes() {
  uint64_t expirations;
  if (read(timer_.get(), &expirations, sizeof expirations) < 0) return;
  const int64_t now = NowMs();
  for (auto& [id, child] : children_) {
    if (child.kill_at != 0 && child.kill_at <= now) {
      child.kill_at = INT64_MAX;  // Not again, and no TERM either.
      SignalGroup(child.pid, child.pidfd, SIGKILL);
    }
    if (child.term_at != 0 && child.term_at <= now) {
      child.exit.timed_out = true;
      Terminate(&child);
    }
  }
  ArmTimer();
}

void Supervisor::ArmTimer() {
  int64_t next = INT64_MAX;
  for (const auto& [id, child] : children_) {
    if (child.term_at != 0) next = std::min(next, child.term_at);
    if (child.kill_at != 0) next = std::min(next, child.kill_at);
  }
  itimerspec spec = {};
  if (next != INT64_MAX) {
    spec.it_value.tv_sec = next / 1000;
    spec.it_value.tv_nsec = next % 1000 * 1'000'000;
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace multus
