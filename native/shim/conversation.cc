#include "shim/conversation.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "core/frames.h"
#include "core/http_reply.h"
#include "core/supervisor.h"
#include "core/unique_fd.h"
#include "shim/plugins.h"

namespace multus {
namespace {

constexpr int64_t kReplyTimeoutMs = 5'000;     // A daemon of ours replies before it does anything.
constexpr int64_t kSilenceTimeoutMs = 10'000;  // It sends an ALIVE frame every second.
constexpr int64_t kFinishTimeoutMs = 5'000;    // Plugins at work when the daemon is lost.

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

constexpr int64_t kMaxTimeoutMs = 3'600'000;

// Tests cannot wait for ten seconds.
int64_t TimeoutMs(int64_t standard) {
  const char* text = getenv("MULTUS_SHIM_TIMEOUT_MS");
  const int64_t wanted = text == nullptr ? 0 : strtoll(text, nullptr, 10);
  return wanted > 0 ? std::min(wanted, kMaxTimeoutMs) : standard;
}

Ending Lost(std::string reason) {
  return {.kind = Ending::Kind::kLost, .answer = {}, .reason = std::move(reason)};
}

Ending Signalled(int signal) {
  return {.kind = Ending::Kind::kSignalled, .answer = {}, .reason = {}, .signal = signal};
}

Ending Answered(Answer answer) {
  return {.kind = Ending::Kind::kAnswered, .answer = std::move(answer), .reason = {}};
}

// connect(2) waits while the backlog of a hung daemon is full: SO_SNDTIMEO bounds that.
Result<UniqueFd> Connect(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error{.code = ENAMETOOLONG};
  if (path.find('\0') != std::string::npos) return Error{.code = EINVAL};
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError("socket");
  const int64_t timeout = TimeoutMs(kReplyTimeoutMs);
  const timeval limit = {.tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoError("connect");
  }
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

// TERM, INT and HUP as a readable descriptor, for as long as it lives.
class SignalWatch {
 public:
  SignalWatch() {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&watched, signal);
    sigprocmask(SIG_BLOCK, &watched, &previous_);
    fd_ = UniqueFd(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch() { sigprocmask(SIG_SETMASK, &previous_, nullptr); }

  int fd() const { return fd_.get(); }

  // 0 when none came.
  int Take() {
    signalfd_siginfo info;
    const bool came = read(fd_.get(), &info, sizeof info) == sizeof info;
    return came ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t previous_;
  UniqueFd fd_;
};

class Conversation {
 public:
  Conversation(const Invocation& invocation, UniqueFd socket, Supervisor supervisor)
      : invocation_(invocation),
        socket_(std::move(socket)),
        supervisor_(std::move(supervisor)),
        out_(EncodeRequest(invocation)) {}

  Ending Run(SignalWatch* signals) {
    Ending ending = Talk(signals);
    if (ending.kind != Ending::Kind::kLost) return ending;
    if (const int signal = LetPluginsFinish(signals); signal != 0) return Signalled(signal);
    return ending;
  }

 private:
  // A plugin that is killed at work may leave what no DEL finds: host-local makes its file before
  // it writes into it whose it is. So those that are at work end by themselves, if they can in
  // time. The socket stays open meanwhile: its end is what
  // lets a daemon that only slept undo them. Returns the signal that ended the wait, or 0.
  int LetPluginsFinish(SignalWatch* signals) {
    supervisor_.KillUnfed();
    const int64_t until = NowMs() + TimeoutMs(kFinishTimeoutMs);
    while (!supervisor_.empty() && NowMs() < until) {
      pollfd fds[] = {
          {.fd = supervisor_.fd(), .events = POLLIN, .revents = 0},
          {.fd = signals->fd(), .events = POLLIN, .revents = 0},
      };
      poll(fds, 2, static_cast<int>(std::max<int64_t>(until - NowMs(), 0)));
      if (const int signal = signals->Take(); signal != 0) return signal;
      supervisor_.Step();
    }
    return 0;
  }

  Ending Talk(SignalWatch* signals) {
    last_progress_ = NowMs();
    for (;;) {
      Flush();
      const short writing = out_.empty() ? 0 : POLLOUT;
      pollfd fds[] = {
          {.fd = socket_.get(), .events = static_cast<short>(POLLIN | writing), .revents = 0},
          {.fd = supervisor_.fd(), .events = POLLIN, .revents = 0},
          {.fd = signals->fd(), .events = POLLIN, .revents = 0},
      };
      const int ready = poll(fds, 3, TimeLeft());
      if (ready == 0)
        return Lost(upgraded_ ? "the daemon fell silent" : "the daemon does not reply");
      if (ready < 0) continue;
      if (const int signal = signals->Take(); signal != 0) {
        return Signalled(signal);
      }
      if (fds[1].revents != 0) {
        for (const Exit& exit : supervisor_.Step()) out_ += EncodeExited(exit);
      }
      if ((fds[0].revents & ~POLLOUT) != 0) {
        if (std::optional<Ending> ending = Receive()) return *std::move(ending);
      }
    }
  }

  // Milliseconds for poll: -1 with a daemon that works on its own and told so.
  int TimeLeft() const {
    if (!upgraded_ && reply_.continued() && reply_.status() == 0) return -1;
    const int64_t limit = TimeoutMs(upgraded_ ? kSilenceTimeoutMs : kReplyTimeoutMs);
    return static_cast<int>(std::max<int64_t>(last_progress_ + limit - NowMs(), 0));
  }

  void Flush() {
    size_t sent = 0;
    while (sent < out_.size()) {
      const ssize_t n = send(socket_.get(), out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
      if (n > 0) {
        sent += static_cast<size_t>(n);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        sent =
            out_.size();  // Nobody reads it. There may be a reply, or an end, to be received yet.
      }
    }
    if (sent > 0 && !upgraded_) last_progress_ = NowMs();
    out_.erase(0, sent);
  }

  std::optional<Ending> Receive() {
    char buffer[64 * 1024];
    const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (n <= 0) {
      const char* why = n < 0 ? strerror(errno) : "connection closed";
      if (!upgraded_ && reply_.Close() == HttpReply::State::kDone) return TakeReply();
      return Lost(why);
    }
    last_progress_ = NowMs();
    std::string_view bytes(buffer, static_cast<size_t>(n));
    std::string rest;
    if (!upgraded_) {
      switch (reply_.Push(bytes)) {
        case HttpReply::State::kHead:
        case HttpReply::State::kBody:
          return std::nullopt;
        case HttpReply::State::kDone:
          return TakeReply();
        case HttpReply::State::kBad:
          return Lost("not an HTTP reply");
        case HttpReply::State::kUpgraded:
          break;
      }
      if (!reply_.upgrade().empty() && reply_.upgrade() != kExecProtocol) {
        return Lost("the daemon speaks " + reply_.upgrade());
      }
      upgraded_ = true;
      rest = reply_.TakeRest();
      bytes = rest;
    }
    frames_.Push(bytes);
    return HandleFrames();
  }

  Ending TakeReply() const {
    return Answered(AnswerFromReply(reply_.status(), reply_.body(), invocation_.cni_version));
  }

  std::optional<Ending> HandleFrames() {
    for (;;) {
      Result<std::optional<DaemonFrame>> next = frames_.Next();
      if (!next.ok()) return Lost("malformed frame: " + next.error().detail);
      if (!next.value().has_value()) return std::nullopt;
      DaemonFrame& frame = *next.value();
      switch (frame.type) {
        case FrameType::kStart:
          Start(frame);
          break;
        case FrameType::kFeed:
          // One that has ended meanwhile cannot be fed; its EXITED is on the way.
          (void)supervisor_.Feed(frame.id, std::move(frame.bytes), frame.deadline_ms);
          break;
        case FrameType::kKill:
          supervisor_.Kill(frame.id);
          break;
        case FrameType::kAnswer:
          return Answered(
              {.exit_code = static_cast<int>(frame.exit_code), .bytes = std::move(frame.bytes)});
        default:
          break;
      }
    }
  }

  void Fail(uint32_t id, int error, std::string_view syscall, std::string_view detail) {
    out_ += EncodeFailed(id, static_cast<uint32_t>(error), syscall, detail);
  }

  void Start(const DaemonFrame& frame) {
    const Result<std::string> path = FindPlugin(frame.plugin, invocation_.plugin_dirs);
    if (!path.ok()) {
      const Error& error = path.error();
      return Fail(frame.id, error.code, error.syscall, error.detail);
    }
    if (frame.ahead && !IsElf(path.value())) {
      return Fail(frame.id, ENOEXEC, "start ahead", path.value() + " is no ELF file");
    }
    const Result<pid_t> pid =
        supervisor_.Start(frame.id, {.path = path.value(),
                                     .env = PluginEnvironment(frame.overrides),
                                     .max_stdout = frame.max_stdout,
                                     .max_stderr = frame.max_stderr});
    if (!pid.ok()) return Fail(frame.id, pid.error().code, pid.error().syscall, path.value());
    out_ += EncodeStarted(frame.id, static_cast<uint32_t>(pid.value()), path.value());
  }

  const Invocation& invocation_;
  UniqueFd socket_;
  Supervisor supervisor_;  // Its destructor kills and reaps what an early end left.
  std::string out_;
  HttpReply reply_;
  DaemonFrameReader frames_;
  bool upgraded_ = false;
  int64_t last_progress_ = 0;
};

}  // namespace

Ending Converse(const Invocation& invocation) {
  Result<UniqueFd> socket = Connect(invocation.socket_path);
  if (!socket.ok()) return Lost(strerror(socket.error().code));
  SignalWatch signals;
  Result<Supervisor> supervisor = Supervisor::Create();
  if (!supervisor.ok()) return Lost(strerror(supervisor.error().code));
  Conversation conversation(invocation, std::move(socket.value()), std::move(supervisor.value()));
  return conversation.Run(&signals);
}

}  // namespace multus
