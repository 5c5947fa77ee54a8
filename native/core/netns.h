// Network namespaces by path or fd. Nothing here changes the namespace of the calling thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace multus {

/// An open network namespace. (dev, ino) is equal for every path that leads to the same namespace;
/// the kernel gives an inode to another one once the namespace is gone (see NetnsCookie).
struct Netns {
  UniqueFd fd;
  std::uint64_t dev = 0;
  std::uint64_t ino = 0;
  bool is_host = false;  ///< Ours, or that of pid 1 where we can see it: never a pod's.
};

/// Open a network namespace. Errors carry `path`: those of openat(2), and EINVAL with a `detail`
/// that says what lies there instead ("is not a namespace file", "is a mount namespace, not a
/// network namespace"). The magic number of nsfs is the same for every kind of namespace, so the
/// kind is asked for (NS_GET_NSTYPE, 4.11).
Result<Netns> OpenNetns(const std::string& path);

/// Run `work` on a fresh thread inside the namespace and wait for it; the thread ends there and
/// enters no pool. Errors: those of setns(2) (EPERM without CAP_SYS_ADMIN), EAGAIN when no thread
/// can be made.
Result<Unit> RunInNetns(int netns_fd, const std::function<void()>& work);

/// A NETLINK_ROUTE socket bound to that namespace, usable from any thread; -1 = the caller's own
/// namespace.
Result<UniqueFd> OpenRouteSocketIn(int netns_fd);

/// Number of the namespace that a socket is bound to, never used again until reboot
/// (SO_NETNS_COOKIE, 5.14); 0 on older kernels. Errors: those of getsockopt(2).
Result<std::uint64_t> NetnsCookie(int socket_fd);

}  // namespace multus
