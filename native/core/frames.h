// Frames between daemon and shim after `101 Switching Protocols` ("multus-exec/1"), seen from the
// shim.
//
// A frame is a 12-byte header, little-endian: payload length u32, type u8, flags u8, two
// zero bytes, process id u32, and then the payload. A string is a u32 length and its bytes.
// src/wire/frames.ts is the same table for the daemon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/supervisor.h"

namespace multus {

/// Protocol name in the `Upgrade` header.
inline constexpr std::string_view kExecProtocol = "multus-exec/1";

/// A longer payload ends the connection: no plugin input or output is that big.
inline constexpr size_t kMaxPayload = 64 * 1024 * 1024;

enum class FrameType : uint8_t {
  kStart = 1,   ///< maxStdout u32, maxStderr u32, count u32, then the plugin's name and environment
                ///< overrides.
  kFeed = 2,    ///< deadlineMs u32, then stdin.
  kKill = 3,    ///< Empty.
  kAnswer = 4,  ///< Exit code u32, then the bytes for stdout. The last frame.
  kAlive = 5,   ///< Empty.
  kStarted = 16,  ///< pid u32, then the path that was executed.
  kFailed = 17,   ///< errno u32, syscall string, detail string.
  kExited = 18,   ///< Exit code i32, signal i32, flags u32, stdout string, stderr string.
};

/// A frame from the daemon; fields that its type does not have are empty.
struct DaemonFrame {
  FrameType type = FrameType::kAlive;
  uint32_t id = 0;
  bool ahead = false;                  ///< start, a flag: before its turn, and an ELF file only.
  std::string plugin;                  ///< start
  std::vector<std::string> overrides;  ///< start: "K=V" sets, "K" unsets.
  uint32_t max_stdout = 0;             ///< start
  uint32_t max_stderr = 0;             ///< start
  uint32_t deadline_ms = 0;            ///< feed
  uint32_t exit_code = 0;              ///< answer
  std::string bytes;                   ///< feed: stdin; answer: stdout
};

/// Collects received bytes and hands out whole frames. Not thread-safe; owns its bytes.
class DaemonFrameReader {
 public:
  /// Adds received bytes.
  void Push(std::string_view bytes) { buffer_.append(bytes); }

  /// The next whole frame, nothing while it is incomplete, or EPROTO (unknown type, payload beyond
  /// kMaxPayload, field beyond its frame), after which the stream has no meaning any more.
  Result<std::optional<DaemonFrame>> Next();

 private:
  std::string buffer_;
  size_t offset_ = 0;  // Start of the first frame not yet handed out.
};

/// Encoders of the shim's frames. No errors: a child's output is bounded by what the daemon asked
/// for.
std::string EncodeStarted(uint32_t id, uint32_t pid, std::string_view path);
std::string EncodeFailed(uint32_t id, uint32_t error, std::string_view syscall,
                         std::string_view detail);
std::string EncodeExited(const Exit& exit);

}  // namespace multus
