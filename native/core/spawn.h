// Starting one child process without copying this one.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace multus {

/// A running child and our ends of its three pipes, which are non-blocking. All descriptors are
/// close-on-exec.
struct Spawned {
  pid_t pid = -1;  ///< Also the id of its process group.
  UniqueFd pidfd;
  UniqueFd in;  ///< Write end of its stdin.
  UniqueFd out;
  UniqueFd err;
};

/// Starts `path` with exactly the environment `env` ("K=V"), argv = {path}, the caller's working
/// directory, its own process group, default signal dispositions, an empty signal mask, no
/// descriptors but 0, 1 and 2, and SIGKILL on the death of the calling *thread*.
///
/// Returns after execve succeeded. Errors: what execve said (syscall "execve", `path` set: ENOENT,
/// EACCES, ETXTBSY, ENOEXEC, E2BIG...), or "pipe2", "clone", "setpgid", "prctl", "dup2".
///
/// Threads: may be called from any; only the calling thread waits. The cost does not depend on this
/// process's size. Ownership: the caller reaps the child, through the pidfd.
Result<Spawned> Spawn(const std::string& path, const std::vector<std::string>& env);

}  // namespace multus
