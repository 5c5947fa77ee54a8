// Locks on byte ranges of a file, between processes (fcntl(2)).
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/result.h"

namespace multus {

/// Lock `length` bytes from `start` (0 = all from there on) for this open file description
/// (F_OFD_SETLK): it excludes every other description, of this process too, and ends when the last
/// descriptor of it is closed. The file must be open for writing and need not be that long.
/// False: somebody else holds part of the range.
Result<bool> TryLockRange(int fd, int64_t start, int64_t length);

/// Lock the byte at `at` in the name of this process (F_SETLK), so that others can ask whose it is.
/// It ends when the process closes any descriptor of the file. EAGAIN: another process has it.
Result<Unit> MarkByte(int fd, int64_t at);

/// The process that has marked the byte, as our PID namespace numbers it; 0 when there is none that
/// we can see.
Result<pid_t> ByteMarker(int fd, int64_t at);

}  // namespace multus
