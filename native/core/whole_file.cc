#include "core/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "core/unique_fd.h"

namespace multus {
namespace {

Error At(Error error, const std::string& path) {
  error.path = path;
  return error;
}

Result<Unit> WriteDraft(const WholeFile& file, std::string_view bytes) {
  const UniqueFd fd(open(file.draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file.mode));
  if (!fd.valid()) return ErrnoError("open");
  while (!bytes.empty()) {
    const ssize_t written = write(fd.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (file.durable && fdatasync(fd.get()) != 0) return ErrnoError("fdatasync");
  return Unit{};
}

// A second name for what is at `path`, in place of what is at `kept`; false when the file system
// has no second names.
Result<bool> Keep(const std::string& path, const std::string& kept) {
  if (link(path.c_str(), kept.c_str()) == 0) return true;
  if (errno == EEXIST && unlink(kept.c_str()) == 0 && link(path.c_str(), kept.c_str()) == 0) {
    return true;
  }
  if (errno == ENOENT) return true;  // Nothing is replaced.
  if (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK || errno == ENOSYS) return false;
  return At(ErrnoError("link"), kept);
}

Result<Unit> Place(const WholeFile& file, std::string_view bytes) {
  if (Result<Unit> written = WriteDraft(file, bytes); !written.ok()) return written;
  if (!file.kept.empty()) {
    const Result<bool> kept = Keep(file.path, file.kept);
    if (!kept.ok()) return kept.error();
    // What is not kept is replaced by what is on disk.
    if (!kept.value()) {
      if (Result<Unit> synced = SyncFile(file.draft, ""); !synced.ok()) return synced;
    }
  }
  if (rename(file.draft.c_str(), file.path.c_str()) != 0) return ErrnoError("rename");
  return Unit{};
}

}  // namespace

Result<Unit> PlaceFile(const WholeFile& file, std::string_view bytes) {
  Result<Unit> placed = Place(file, bytes);
  if (placed.ok()) return placed;
  (void)unlink(file.draft.c_str());
  return placed.error().path.empty() ? At(placed.error(), file.draft) : placed.error();
}

Result<Unit> SyncFile(const std::string& path, const std::string& obsolete) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return At(ErrnoError("open"), path);
  if (fdatasync(fd.get()) != 0) return At(ErrnoError("fdatasync"), path);
  if (!obsolete.empty() && unlink(obsolete.c_str()) != 0 && errno != ENOENT) {
    return At(ErrnoError("unlink"), obsolete);
  }
  return Unit{};
}

}  // namespace multus
