// Locks on byte ranges of a file, between processes (fcntl(2)).
#pragma once

#include <cstdint>

#include "core/result.h"

namespace multus {

/// Lock `length` bytes from `start` (0 = all from there on) for this open file description
/// (F_OFD_SETLK): it excludes every other description, of this process too, and ends when the last
/// descriptor of it is closed. The file must be open for writing and need not be that long.
/// False: somebody else holds part of the range.
Result<bool> TryLockRange(int fd, int64_t start, int64_t length);

}  // namespace multus
