// The shim's side of the frame table. test/native/shim.test.ts checks it against
// src/wire/frames.ts.
#include "core/frames.h"

#include "test/test.h"

namespace multus {
namespace {

std::string U32(uint32_t value) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::string Sized(const std::string& text) {
  return U32(static_cast<uint32_t>(text.size())) + text;
}

std::string Frame(uint32_t type, uint32_t id, const std::string& payload) {
  return U32(static_cast<uint32_t>(payload.size())) + U32(type) + U32(id) + payload;
}

std::string StartFrame() {
  return Frame(1, 7, U32(1000) + U32(200) + U32(3) + Sized("bridge") + Sized("A=1") + Sized("B"));
}

// The first frame in `bytes`; a frame of type kExited, which no daemon sends, when there is none.
DaemonFrame Decode(const std::string& bytes) {
  DaemonFrameReader reader;
  reader.Push(bytes);
  Result<std::optional<DaemonFrame>> next = reader.Next();
  if (!next.ok() || !next.value().has_value()) return {.type = FrameType::kExited};
  return *std::move(next.value());
}

bool IsRefused(const std::string& bytes) {
  DaemonFrameReader reader;
  reader.Push(bytes);
  const Result<std::optional<DaemonFrame>> next = reader.Next();
  return !next.ok() && next.error().code == EPROTO;
}

// A shim that read beyond a frame would execute what the daemon did not say.
TEST(DaemonFrameReader_refuses_fields_beyond_their_frame) {
  EXPECT(IsRefused(Frame(1, 1, "")));
  EXPECT(IsRefused(Frame(1, 1, U32(1) + U32(1) + U32(0))));
  EXPECT(IsRefused(Frame(1, 1, U32(1) + U32(1) + U32(1) + U32(0xffffffff) + "x")));
  EXPECT(IsRefused(Frame(1, 1, U32(1) + U32(1) + U32(0xffffffff) + Sized("x"))));
  EXPECT(IsRefused(Frame(2, 1, "abc")));
  EXPECT(IsRefused(Frame(4, 1, "")));
}

TEST(DaemonFrameReader_refuses_unknown_types_and_huge_payloads) {
  EXPECT(IsRefused(Frame(0, 1, "")));
  EXPECT(IsRefused(Frame(6, 1, "")));
  EXPECT(IsRefused(Frame(16, 1, U32(1))));  // A shim's own frame.
  EXPECT(IsRefused(U32(kMaxPayload + 1) + U32(2) + U32(1)));
}

TEST(DaemonFrameReader_reads_every_type) {
  const DaemonFrame start = Decode(StartFrame());
  EXPECT(start.type == FrameType::kStart);
  EXPECT_EQ(start.id, 7U);
  EXPECT(!start.ahead);
  EXPECT_EQ(start.plugin, "bridge");
  EXPECT_EQ(start.max_stdout, 1000U);
  EXPECT_EQ(start.max_stderr, 200U);
  EXPECT(start.overrides == (std::vector<std::string>{"A=1", "B"}));

  std::string ahead = StartFrame();
  ahead[5] = 1;
  EXPECT(Decode(ahead).ahead);
  EXPECT(Decode(ahead).type == FrameType::kStart);

  const DaemonFrame feed = Decode(Frame(2, 8, U32(1500) + "{}"));
  EXPECT(feed.type == FrameType::kFeed);
  EXPECT_EQ(feed.id, 8U);
  EXPECT_EQ(feed.deadline_ms, 1500U);
  EXPECT_EQ(feed.bytes, "{}");

  EXPECT(Decode(Frame(3, 9, "")).type == FrameType::kKill);
  EXPECT(Decode(Frame(5, 0, "")).type == FrameType::kAlive);

  const DaemonFrame answer = Decode(Frame(4, 0, U32(1) + "{\"code\":7}"));
  EXPECT(answer.type == FrameType::kAnswer);
  EXPECT_EQ(answer.exit_code, 1U);
  EXPECT_EQ(answer.bytes, "{\"code\":7}");
}

// The kernel cuts a stream where it likes.
TEST(DaemonFrameReader_joins_bytes_that_come_one_by_one) {
  const std::string stream = StartFrame() + Frame(5, 0, "") + Frame(2, 7, U32(0) + "stdin");
  DaemonFrameReader reader;
  std::vector<FrameType> types;
  for (const char byte : stream) {
    reader.Push(std::string_view(&byte, 1));
    for (;;) {
      Result<std::optional<DaemonFrame>> next = reader.Next();
      EXPECT(next.ok());
      if (!next.ok() || !next.value().has_value()) break;
      types.push_back(next.value()->type);
    }
  }
  EXPECT(types == (std::vector<FrameType>{FrameType::kStart, FrameType::kAlive, FrameType::kFeed}));
}

TEST(Encoders_write_the_table) {
  EXPECT_EQ(EncodeStarted(3, 4711, "/opt/cni/bin/bridge"),
            Frame(16, 3, U32(4711) + "/opt/cni/bin/bridge"));
  EXPECT_EQ(EncodeFailed(3, 2, "find", "not there"),
            Frame(17, 3, U32(2) + Sized("find") + Sized("not there")));
  const Exit exit{.id = 3,
                  .exit_code = -1,
                  .signal = 9,
                  .timed_out = true,
                  .killed = false,
                  .stdout_overflow = true,
                  .stderr_truncated = true,
                  .stdout_data = "out",
                  .stderr_data = ""};
  EXPECT_EQ(EncodeExited(exit),
            Frame(18, 3, U32(0xffffffff) + U32(9) + U32(13) + Sized("out") + Sized("")));
}

}  // namespace
}  // namespace multus
