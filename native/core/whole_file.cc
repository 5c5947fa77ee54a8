#include "core/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "core/unique_fd.h"

namespace multus {
namespace {

Result<Unit> WriteDurably(const std::string& path, std::string_view bytes, mode_t mode) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file.valid()) return ErrnoError("open");
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fdatasync(file.get()) != 0) return ErrnoError("fdatasync");
  return Unit{};
}

}  // namespace

Result<Unit> PlaceFile(const std::string& draft, const std::string& path, std::string_view bytes,
                       mode_t mode) {
  Result<Unit> placed = WriteDurably(draft, bytes, mode);
  if (placed.ok() && rename(draft.c_str(), path.c_str()) != 0) placed = ErrnoError("rename");
  if (!placed.ok()) {
    placed.error().path = draft;
    (void)unlink(draft.c_str());
  }
  return placed;
}

}  // namespace multus
