// Files that others read at any time: they find the old content or the new one, never half of it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/result.h"

namespace multus {

/// Puts a file with `bytes` in the place of the one at `path`: written to `draft` (in the same
/// folder; what is there is overwritten), made durable by fdatasync, then renamed. When it fails
/// there is no draft, and `path` is as it was. Errors name the call and the file.
Result<Unit> PlaceFile(const std::string& draft, const std::string& path, std::string_view bytes,
                       mode_t mode);

}  // namespace multus
