// Locks on files, between processes: on byte ranges (fcntl(2)), and on a whole file (flock(2)).
#pragma once

#include <cstdint>

#include "core/result.h"

namespace multus {

/// Lock `length` bytes from `start` (0 = all from there on) for this open file description
/// (F_OFD_SETLK): it excludes every other description, of this process too, and ends when the last
/// descriptor of it is closed. The file must be open for writing and need not be that long.
/// False: somebody else holds part of the range.
Result<bool> TryLockRange(int fd, int64_t start, int64_t length);

/// Lock the whole file for this open file description (flock, LOCK_EX): the kernel keeps these
/// locks apart from those on ranges, neither sees the other. It ends as they do. False: another
/// description has it.
Result<bool> TryLockFile(int fd);

}  // namespace multus
