// Hostile bytes for what the shim reads off its socket: HTTP reply, then frames.
//
//   clang++-16 -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Inative \
//     native/fuzz/frames_fuzz.cc native/core/{frames,http_reply}.cc -o /tmp/frames_fuzz
//   /tmp/frames_fuzz -max_total_time=60
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/frames.h"
#include "core/http_reply.h"

namespace {

// All frames of `bytes`, pushed in pieces of `step`; empty frames do not count, so that both ways
// compare.
std::string Digest(std::string_view bytes, size_t step) {
  multus::DaemonFrameReader reader;
  std::string digest;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.Push(bytes.substr(at, step));
    for (;;) {
      auto next = reader.Next();
      if (!next.ok()) return digest + "!";
      if (!next.value().has_value()) break;
      const multus::DaemonFrame& frame = *next.value();
      digest += std::to_string(static_cast<int>(frame.type)) + frame.plugin + frame.bytes;
    }
  }
  return digest;
}

std::string ReplyDigest(std::string_view bytes, size_t step) {
  multus::HttpReply reply;
  auto state = multus::HttpReply::State::kHead;
  for (size_t at = 0; at < bytes.size(); at += step) state = reply.Push(bytes.substr(at, step));
  state = reply.Close();
  return std::to_string(static_cast<int>(state)) + std::to_string(reply.status()) + reply.body();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // How the kernel cuts the stream must not change its meaning.
  if (Digest(input, size + 1) != Digest(input, 3)) abort();
  if (ReplyDigest(input, size + 1) != ReplyDigest(input, 3)) abort();
  return 0;
}
