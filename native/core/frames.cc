#include "core/frames.h"

namespace multus {
namespace {

constexpr size_t kHeaderSize = 12;

// The flag of kStart, seen in the u32 that holds type and flags.
constexpr uint32_t kAhead = 1U << 8;

// Bits of `flags` in kExited.
constexpr uint32_t kTimedOut = 1;
constexpr uint32_t kKilled = 2;
constexpr uint32_t kStdoutOverflow = 4;
constexpr uint32_t kStderrTruncated = 8;

void AppendU32(std::string* out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

void AppendString(std::string* out, std::string_view text) {
  AppendU32(out, static_cast<uint32_t>(text.size()));
  out->append(text);
}

std::string Frame(FrameType type, uint32_t id, std::string_view payload) {
  std::string frame;
  frame.reserve(kHeaderSize + payload.size());
  AppendU32(&frame, static_cast<uint32_t>(payload.size()));
  AppendU32(&frame, static_cast<uint32_t>(type));  // No flag.
  AppendU32(&frame, id);
  frame.append(payload);
  return frame;
}

// Takes fields off the front of a payload; false where it is too short.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  bool TakeU32(uint32_t* out) {
    if (bytes_.size() < 4) return false;
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
      *out |= uint32_t{static_cast<unsigned char>(bytes_[i])} << (8 * i);
    }
    bytes_.remove_prefix(4);
    return true;
  }
  bool TakeString(std::string* out) {
    uint32_t length = 0;
    if (!TakeU32(&length) || bytes_.size() < length) return false;
    out->assign(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
    return true;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

bool DecodeStart(Fields fields, DaemonFrame* frame) {
  uint32_t count = 0;
  if (!fields.TakeU32(&frame->max_stdout) || !fields.TakeU32(&frame->max_stderr) ||
      !fields.TakeU32(&count) || count == 0 || !fields.TakeString(&frame->plugin)) {
    return false;
  }
  for (uint32_t i = 1; i < count; i++) {
    std::string entry;
    if (!fields.TakeString(&entry)) return false;
    frame->overrides.push_back(std::move(entry));
  }
  return true;
}

bool DecodePayload(std::string_view payload, DaemonFrame* frame) {
  Fields fields(payload);
  switch (frame->type) {
    case FrameType::kStart:
      return DecodeStart(fields, frame);
    case FrameType::kFeed:
      if (!fields.TakeU32(&frame->deadline_ms)) return false;
      frame->bytes.assign(fields.rest());
      return true;
    case FrameType::kAnswer:
      if (!fields.TakeU32(&frame->exit_code)) return false;
      frame->bytes.assign(fields.rest());
      return true;
    case FrameType::kKill:
    case FrameType::kAlive:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::optional<DaemonFrame>> DaemonFrameReader::Next() {
  Fields header(std::string_view(buffer_).substr(offset_));
  uint32_t length = 0;
  uint32_t type = 0;
  DaemonFrame frame;
  const bool whole = header.TakeU32(&length) && header.TakeU32(&type) && header.TakeU32(&frame.id);
  if (whole && length > kMaxPayload) {
    return Error{.code = EPROTO, .syscall = "frame", .detail = "payload is too long"};
  }
  if (!whole || header.rest().size() < length) {
    buffer_.erase(0, offset_);  // At most once per read, not once per frame.
    offset_ = 0;
    return std::optional<DaemonFrame>();
  }
  frame.type = static_cast<FrameType>(type & 0xff);
  frame.ahead = (type & kAhead) != 0;
  if (!DecodePayload(header.rest().substr(0, length), &frame)) {
    return Error{.code = EPROTO, .syscall = "frame", .detail = "unknown type or short payload"};
  }
  offset_ += kHeaderSize + length;
  return std::optional<DaemonFrame>(std::move(frame));
}

std::string EncodeStarted(uint32_t id, uint32_t pid, std::string_view path) {
  std::string payload;
  AppendU32(&payload, pid);
  payload.append(path);
  return Frame(FrameType::kStarted, id, payload);
}

std::string EncodeFailed(uint32_t id, uint32_t error, std::string_view syscall,
                         std::string_view detail) {
  std::string payload;
  AppendU32(&payload, error);
  AppendString(&payload, syscall);
  AppendString(&payload, detail);
  return Frame(FrameType::kFailed, id, payload);
}

std::string EncodeExited(const Exit& exit) {
  std::string payload;
  AppendU32(&payload, static_cast<uint32_t>(exit.exit_code));
  AppendU32(&payload, static_cast<uint32_t>(exit.signal));
  AppendU32(&payload, (exit.timed_out ? kTimedOut : 0) | (exit.killed ? kKilled : 0) |
                          (exit.stdout_overflow ? kStdoutOverflow : 0) |
                          (exit.stderr_truncated ? kStderrTruncated : 0));
  AppendString(&payload, exit.stdout_data);
  AppendString(&payload, exit.stderr_data);
  return Frame(FrameType::kExited, exit.id, payload);
}

}  // namespace multus
