// A scripted kernel in place of a socket.
#pragma once

#include <string>
#include <vector>

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

  Result<Buffer> Get(MessageBuilder& request, const char* /*syscall*/) override {
    const Buffer bytes = Finished(request);
    return Answer(FirstMessage(bytes));
  }

  Result<Buffer> Dump(MessageBuilder& request, const char* syscall) override {
    return Get(request, syscall);
  }

 protected:
  /// Do a change; a positive errno, 0 for success.
  virtual int Apply(const Message& message) = 0;
  /// The message or messages that answer a get or dump.
  virtual Buffer Answer(const Message& message) = 0;
};

}  // namespace multus::test
