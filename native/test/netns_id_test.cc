// Numbers of other namespaces, and replies that come from the wrong one: a scripted kernel, as no
// kernel at hand is so old, or so slow, as to show these.
#include "core/netns_id.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "core/links.h"
#include "core/vfs.h"
#include "test/bytes.h"
#include "test/fake_kernel.h"
#include "test/test.h"

namespace multus::test {

namespace {

Buffer NsidReply(std::int32_t number) {
  MessageBuilder builder(RTM_NEWNSID, 0);
  builder.Fixed(rtgenmsg{});
  builder.AddU32(NETNSA_NSID, static_cast<std::uint32_t>(number));
  return Finished(builder);
}

/// Knows one namespace, maybe without a number.
class NumberingKernel : public FakeKernel {
 public:
  std::int32_t number = -1;
  int refusal = 0;               ///< What a request for a number says.
  bool somebody_faster = false;  ///< Somebody else asks for a number between our two requests.
  bool forgets = false;          ///< Acknowledges, and gives no number.

 protected:
  int Apply(const Message& message) override {
    log.emplace_back("give");
    const Bytes attributes = message.body.subspan(4);
    if (FindAttribute(attributes, NETNSA_NSID).has_value() && !forgets) {
      if (refusal == 0 || somebody_faster) number = 3;
    }
    return refusal;
  }

  Buffer Answer(const Message& /*message*/) override {
    log.emplace_back("ask");
    return NsidReply(number);
  }
};

/// Answers with one link that says it comes from the namespace `target`, or says nothing.
class AnsweringKernel : public FakeKernel {
 public:
  std::optional<int> target;
  std::optional<std::uint32_t> asked;

 protected:
  int Apply(const Message& /*message*/) override { return EINVAL; }

  Buffer Answer(const Message& message) override {
    const Bytes attributes = message.body.subspan(sizeof(ifinfomsg));
    if (const auto nsid = FindAttribute(attributes, IFLA_TARGET_NETNSID)) {
      asked = ReadAs<std::uint32_t>(*nsid);
    }
    MessageBuilder builder(RTM_NEWLINK, 0);
    builder.Fixed(ifinfomsg{.ifi_index = 2});
    if (target) builder.AddU32(IFLA_TARGET_NETNSID, static_cast<std::uint32_t>(*target));
    builder.AddString(IFLA_IFNAME, "eth0");
    return Finished(builder);
  }
};

}  // namespace

TEST(NetnsIdAsksForANumberOnlyWhereThereIsNone) {
  NumberingKernel kernel;
  EXPECT_EQ(NetnsId(kernel, 9).value(), 3);
  EXPECT(kernel.log == (std::vector<std::string>{"ask", "give", "ask"}));
  EXPECT_EQ(NetnsId(kernel, 9).value(), 3);
  EXPECT_EQ(kernel.log.size(), 4);
}

TEST(NetnsIdTakesTheNumberThatSomebodyElseGotFirst) {
  NumberingKernel kernel;
  kernel.refusal = EEXIST;
  kernel.somebody_faster = true;
  EXPECT_EQ(NetnsId(kernel, 9).value(), 3);
}

TEST(NetnsIdFailsWithoutPermission) {
  NumberingKernel kernel;
  kernel.refusal = EPERM;
  EXPECT_EQ(NetnsId(kernel, 9).error().code, EPERM);
}

TEST(NetnsIdNeverAnswersMinusOne) {
  NumberingKernel kernel;
  kernel.forgets = true;
  EXPECT_EQ(NetnsId(kernel, 9).error().code, ENODATA);
}

TEST(AnAnswerOfTheWrongNamespaceIsRefused) {
  // Before 4.15 the kernel ignores the attribute: these would be the host's links.
  AnsweringKernel kernel;
  for (const std::optional<int> target : {std::optional<int>(), std::optional<int>(4)}) {
    kernel.target = target;
    EXPECT_EQ(ListLinks(kernel, 3).error().code, EOPNOTSUPP);
    EXPECT_EQ(GetVfs(kernel, 2, 3).error().code, EOPNOTSUPP);
    EXPECT_EQ(GetLinkByAnyName(kernel, "eth0", 3).error().code, EOPNOTSUPP);
  }
  EXPECT(ListLinks(kernel).ok());  // Not asked of another, any answer is its own.
}

TEST(AnAnswerOfTheRightNamespaceIsTaken) {
  AnsweringKernel kernel;
  kernel.target = 0;
  EXPECT_EQ(ListLinks(kernel, 0).value().size(), 1);
  EXPECT_EQ(kernel.asked, 0U);
  kernel.target = 3;
  EXPECT(GetVfs(kernel, 2, 3).ok());
  EXPECT_EQ(kernel.asked, 3U);
}

}  // namespace multus::test
