#include "core/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

#include "core/netlink_socket.h"

namespace multus {

namespace {

const char* KindOfNamespace(int type) {
  switch (type) {
    case CLONE_NEWNS:
      return "a mount";
    case CLONE_NEWCGROUP:
      return "a cgroup";
    case CLONE_NEWUTS:
      return "a UTS";
    case CLONE_NEWIPC:
      return "an IPC";
    case CLONE_NEWUSER:
      return "a user";
    case CLONE_NEWPID:
      return "a PID";
    default:
      return "another";
  }
}

Error NotNetns(const std::string& path, const char* syscall, std::string detail) {
  return Error{.code = EINVAL, .syscall = syscall, .detail = std::move(detail), .path = path};
}

std::string DescribeNonNamespace(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return "is a directory, it is not a namespace file";
  // What `ip netns` and the runtimes leave when the mount goes (reboot, umount) and the mount point
  // stays.
  if (S_ISREG(status.st_mode) && status.st_size == 0) {
    return "is not a namespace file (it is empty: the namespace that was mounted here is gone)";
  }
  return "is not a namespace file";
}

Result<Unit> CheckNetns(int fd, const std::string& path, const struct stat& status) {
  struct statfs filesystem {};
  if (fstatfs(fd, &filesystem) != 0) return ErrnoError("fstatfs");
  // Namespace files moved from proc to nsfs in Linux 3.19.
  if (filesystem.f_type != NSFS_MAGIC && filesystem.f_type != PROC_SUPER_MAGIC) {
    return NotNetns(path, "fstatfs", DescribeNonNamespace(status));
  }
  const int type = ioctl(fd, NS_GET_NSTYPE);
  if (type == CLONE_NEWNET) return Unit{};
  if (type > 0) {
    return NotNetns(
        path, "ioctl",
        std::string("is ") + KindOfNamespace(type) + " namespace, not a network namespace");
  }
  if (errno != ENOTTY) return ErrnoError("ioctl", "NS_GET_NSTYPE");
  // Either an ordinary file of proc, or a kernel before 4.11 that cannot say: entering tells.
  if (auto entered = RunInNetns(fd, [] {}); !entered.ok()) {
    if (entered.error().code != EINVAL) return std::move(entered.error());
    return NotNetns(path, "setns", DescribeNonNamespace(status));
  }
  return Unit{};
}

struct Visit {
  int netns_fd;
  const std::function<void()>* work;
  int error;
};

void* VisitThread(void* argument) {
  auto* visit = static_cast<Visit*>(argument);
  if (setns(visit->netns_fd, CLONE_NEWNET) != 0) {
    visit->error = errno;
  } else {
    (*visit->work)();
  }
  return nullptr;
}

// All are alive, so that their inodes tell them apart. Of pid 1 of another user or PID namespace
// nothing is known.
bool IsHost(const struct stat& netns) {
  for (const char* path : {"/proc/self/ns/net", "/proc/1/ns/net"}) {
    struct stat host {};
    if (stat(path, &host) == 0 && host.st_dev == netns.st_dev && host.st_ino == netns.st_ino) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<Netns> OpenNetns(const std::string& path) {
  // O_NONBLOCK: a FIFO at that path must not hold us.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) {
    Error error = ErrnoError("openat");
    error.path = path;
    return error;
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    Error error = ErrnoError("fstat");
    error.path = path;
    return error;
  }
  if (auto checked = CheckNetns(fd.get(), path, status); !checked.ok()) {
    checked.error().path = path;
    return std::move(checked.error());
  }
  return Netns{
      .fd = std::move(fd), .dev = status.st_dev, .ino = status.st_ino, .is_host = IsHost(status)};
}

Result<Unit> RunInNetns(int netns_fd, const std::function<void()>& work) {
  Visit visit{.netns_fd = netns_fd, .work = &work, .error = 0};
  // Not std::thread: it can only throw when the pids limit is reached, and we are built without
  // exceptions.
  pthread_t thread{};
  if (const int error = pthread_create(&thread, nullptr, VisitThread, &visit); error != 0) {
    return Error{.code = error, .syscall = "pthread_create", .detail = "to enter a netns"};
  }
  pthread_join(thread, nullptr);
  if (visit.error != 0) return Error{.code = visit.error, .syscall = "setns"};
  return Unit{};
}

Result<UniqueFd> OpenRouteSocketIn(int netns_fd) {
  if (netns_fd < 0) return OpenRouteSocket();
  Result<UniqueFd> socket = Error{};
  auto entered = RunInNetns(netns_fd, [&socket] { socket = OpenRouteSocket(); });
  if (!entered.ok()) return std::move(entered.error());
  return socket;
}

Result<std::uint64_t> NetnsCookie(int socket_fd) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0) return cookie;
  if (errno == ENOPROTOOPT) return std::uint64_t{0};
  return ErrnoError("getsockopt(SO_NETNS_COOKIE)");
}

}  // namespace multus
