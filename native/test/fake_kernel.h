// A scripted kernel in place of a socket.
#pragma once

#include <string>
#include <vector>

#include "core/netlink_reply.h"
#include "core/rtnetlink.h"
#include "test/bytes.h"

namespace multus::test {

/// Hands each request to the test's class as a message.
class FakeKernel : public Rtnetlink {
 public:
  std::vector<std::string> log;  ///< What was asked, in the words of the test's class.

  Result<Unit> Change(MessageBuilder& request, const char* syscall) override {
    const Buffer bytes = Finished(request);
    const int error = Apply(FirstMessage(bytes));
    if (error != 0) return Error{.code = error, .syscall = syscall};
    return Unit{};
  }

  Result<Buffer> Get(MessageBuilder& request, const char* syscall) override {
    const Buffer bytes = Finished(request);
    Buffer answer = Answer(FirstMessage(bytes));
    const Message message = FirstMessage(answer);
    if (message.header.nlmsg_type != NLMSG_ERROR) return answer;
    return Error{.code = ParseErrorMessage(message).code, .syscall = syscall};
  }

  Result<Buffer> Dump(MessageBuilder& request, const char* syscall) override {
    return Get(request, syscall);
  }

 protected:
  /// Do a change; a positive errno, 0 for success.
  virtual int Apply(const Message& message) = 0;
  /// The message or messages that answer a get or dump; or a Refusal.
  virtual Buffer Answer(const Message& message) = 0;

  static Buffer Refusal(int error) {
    return RawMessage(NLMSG_ERROR, 0, BytesOf(nlmsgerr{.error = -error}));
  }
};

}  // namespace multus::test
