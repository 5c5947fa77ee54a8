#include "core/range_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace multus {
namespace {

struct flock WriteLock(int64_t start, int64_t length) {
  struct flock range = {};  // l_pid must be 0 for locks of a description.
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = start;
  range.l_len = length;
  return range;
}

}  // namespace

Result<bool> TryLockRange(int fd, int64_t start, int64_t length) {
  struct flock range = WriteLock(start, length);
  if (fcntl(fd, F_OFD_SETLK, &range) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return ErrnoError("fcntl(F_OFD_SETLK)");
}

Result<bool> TryLockFile(int fd) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return ErrnoError("flock");
}

}  // namespace multus
