// Replies of any daemon that may sit behind the socket.
#include "core/http_reply.h"

#include "test/test.h"

namespace multus {
namespace {

using State = HttpReply::State;

State PushAll(HttpReply* reply, std::string_view bytes) { return reply->Push(bytes); }

State PushOneByOne(HttpReply* reply, std::string_view bytes) {
  State state = State::kHead;
  for (size_t i = 0; i < bytes.size(); i++) state = reply->Push(bytes.substr(i, 1));
  return state;
}

State StateOf(std::string_view bytes) {
  HttpReply reply;
  return reply.Push(bytes);
}

// A socket that something else listens on must not pass for a daemon.
TEST(HttpReply_refuses_what_is_no_reply) {
  EXPECT(StateOf("SSH-2.0-x\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/2.0 200 OK\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 2x0 OK\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 099 OK\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 200 OK\r\nno colon\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") == State::kBad);
  EXPECT(StateOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n") ==
         State::kBad);
  EXPECT(StateOf(std::string(70'000, 'x')) == State::kBad);
}

TEST(HttpReply_refuses_a_reply_that_is_cut_off) {
  for (const std::string_view bytes :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"}) {
    HttpReply reply;
    reply.Push(bytes);
    EXPECT(reply.Close() == State::kBad);
  }
}

TEST(HttpReply_reads_every_kind_of_body) {
  for (const auto push : {PushAll, PushOneByOne}) {
    HttpReply sized;
    EXPECT(push(&sized, "HTTP/1.1 400 Bad Request\r\ncontent-length:  5 \r\n\r\nabcde") ==
           State::kDone);
    EXPECT_EQ(sized.status(), 400);
    EXPECT_EQ(sized.body(), "abcde");

    HttpReply chunked;
    EXPECT(push(&chunked,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n") == State::kDone);
    EXPECT_EQ(chunked.body(), "abc0123456789");

    HttpReply until_close;
    EXPECT(push(&until_close, "HTTP/1.0 200 OK\r\n\r\nabc") == State::kBody);
    EXPECT(until_close.Close() == State::kDone);
    EXPECT_EQ(until_close.body(), "abc");

    HttpReply empty;
    EXPECT(push(&empty, "HTTP/1.1 204 No Content\r\n\r\n") == State::kDone);
    EXPECT_EQ(empty.body(), "");
  }
}

TEST(HttpReply_passes_over_interim_replies) {
  HttpReply reply;
  EXPECT(reply.Push("HTTP/1.1 100 Continue\r\n\r\n") == State::kHead);
  EXPECT(reply.continued());
  EXPECT_EQ(reply.status(), 0);
  EXPECT(reply.Push("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") == State::kDone);
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body(), "{}");
}

// The first frames often come with the head, in one read.
TEST(HttpReply_hands_over_what_follows_an_upgrade) {
  HttpReply reply;
  EXPECT(reply.Push("HTTP/1.1 101 Switching Protocols\r\nUpgrade: Multus-Exec/1\r\n\r\n\x01\x02") ==
         State::kUpgraded);
  EXPECT_EQ(reply.upgrade(), "multus-exec/1");
  EXPECT_EQ(reply.TakeRest(), "\x01\x02");
}

}  // namespace
}  // namespace multus
