#include "core/range_lock.h"

#include <fcntl.h>
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

Result<Unit> MarkByte(int fd, int64_t at) {
  struct flock range = WriteLock(at, 1);
  if (fcntl(fd, F_SETLK, &range) != 0) return ErrnoError("fcntl(F_SETLK)");
  return Unit{};
}

Result<pid_t> ByteMarker(int fd, int64_t at) {
  struct flock range = WriteLock(at, 1);
  if (fcntl(fd, F_GETLK, &range) != 0) return ErrnoError("fcntl(F_GETLK)");
  // -1: the lock is an open file description's and has no process.
  return range.l_type == F_UNLCK || range.l_pid < 0 ? 0 : range.l_pid;
}

}  // namespace multus
