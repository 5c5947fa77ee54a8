// Files that others read at any time: they find the old content or the new one, never half of it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/result.h"

namespace multus {

struct WholeFile {
  std::string draft;  ///< Written first, in the same folder; what is there is overwritten.
  std::string path;   ///< What the draft becomes.
  std::string kept;   ///< Where the old content, if any, stays to be found; empty: nowhere. Where
                      ///< the file system cannot do that, the new one is durable.
  mode_t mode = 0;
  bool durable = false;  ///< On disk before it gets its name.
};

/// Puts a file with `bytes` in the place of the one at `path`. When it fails there is no draft, and
/// `path` is as it was. Errors name the call and the file.
Result<Unit> PlaceFile(const WholeFile& file, std::string_view bytes);

/// Waits until the content of the file at `path` is on disk, then removes the one at `obsolete`,
/// unless that is empty or gone. Errors name the call and the file.
Result<Unit> SyncFile(const std::string& path, const std::string& obsolete);

}  // namespace multus
