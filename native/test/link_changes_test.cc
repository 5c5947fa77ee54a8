// Renames and moves against scripted kernels: those up to 6.1 refuse to rename a link that is up,
// and all rename after a move.
#include "core/link_changes.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>
#include <string>
#include <vector>

#include "test/bytes.h"
#include "test/fake_kernel.h"
#include "test/test.h"

namespace multus::test {

namespace {

/// One link, which is renamed only while it is down.
class OldKernel : public FakeKernel {
 public:
  bool up = true;
  int rename_error = 0;  ///< What a rename of the link says when it is down.
  int up_error = 0;      ///< What bringing it up says.

 protected:
  int Apply(const Message& message) override {
    const auto info = ReadAs<ifinfomsg>(message.body).value_or(ifinfomsg{});
    const Bytes attributes = message.body.subspan(sizeof(ifinfomsg));
    if (FindAttribute(attributes, IFLA_IFNAME)) {
      log.emplace_back("rename");
      return up ? EBUSY : rename_error;
    }
    const bool bring_up = (info.ifi_flags & IFF_UP) != 0;
    log.emplace_back(bring_up ? "up" : "down");
    if (bring_up && up_error != 0) return up_error;
    up = bring_up;
    return 0;
  }

  Buffer Answer(const Message& /*message*/) override {
    MessageBuilder builder(RTM_NEWLINK, 0);
    builder.Fixed(ifinfomsg{.ifi_index = 5, .ifi_flags = up ? unsigned{IFF_UP} : 0U});
    builder.AddString(IFLA_IFNAME, "old0");
    return Finished(builder);
  }
};

/// Two namespaces: number 3 is another one, where the link's own name is free. Somebody there takes
/// the new name just before the move.
class RacingKernel : public FakeKernel {
 public:
  int error = EEXIST;
  bool moves = true;  ///< The kernel moves the link before it finds out.

 protected:
  int Apply(const Message& message) override {
    if (message.header.nlmsg_type != RTM_SETLINK) return 0;
    moved_ = moves;
    return error;
  }

  Buffer Answer(const Message& message) override {
    MessageBuilder builder(message.header.nlmsg_type == RTM_GETNSID ? RTM_NEWNSID : RTM_NEWLINK, 0);
    if (message.header.nlmsg_type == RTM_GETNSID) {
      builder.Fixed(rtgenmsg{}).AddU32(NETNSA_NSID, 3);
      return Finished(builder);
    }
    const Bytes attributes = message.body.subspan(sizeof(ifinfomsg));
    const bool there = FindAttribute(attributes, IFLA_TARGET_NETNSID).has_value();
    const auto name = FindAttribute(attributes, IFLA_IFNAME);
    const bool is_ours = !name || ReadString(*name) == "net1";
    if (!is_ours || there != moved_) return Refusal(ENODEV);
    builder.Fixed(ifinfomsg{.ifi_index = 5});
    if (there) builder.AddU32(IFLA_TARGET_NETNSID, 3);
    builder.AddString(IFLA_IFNAME, "net1");
    return Finished(builder);
  }

 private:
  bool moved_ = false;
};

}  // namespace

TEST(MoveLinkSaysWhereTheLinkIsWhenItWasMovedAndNotRenamed) {
  RacingKernel kernel;
  const auto moved = MoveLink(kernel, 5, 9, "ens1f0v3");
  ASSERT(!moved.ok());
  EXPECT_EQ(moved.error().code, EEXIST);
  EXPECT_EQ(moved.error().ifname, "net1");
  EXPECT_EQ(moved.error().detail, "the link has been moved all the same, under its old name net1");
}

TEST(MoveLinkSaysThatTheLinkStayed) {
  RacingKernel kernel;
  kernel.moves = false;
  kernel.error = EBUSY;
  const auto moved = MoveLink(kernel, 5, 9, "ens1f0v3");
  ASSERT(!moved.ok());
  EXPECT_EQ(moved.error().code, EBUSY);
  EXPECT_EQ(moved.error().detail, "the link was not moved");
}

TEST(RenameLinkRefusesNamesThatTheKernelMisreads) {
  OldKernel kernel;
  EXPECT_EQ(RenameLink(kernel, 5, "").error().code, EINVAL);
  for (const char* name :
       {"eth%d", "a/b", "a:b", "a b", "a\nb", "a\xa0", ".", "..", "all", "default"}) {
    EXPECT_EQ(RenameLink(kernel, 5, name).error().code, EINVAL);
  }
  EXPECT_EQ(RenameLink(kernel, 5, "sixteen-bytes-xx").error().code, ERANGE);
  EXPECT(kernel.log.empty());
}

TEST(RenameLinkTakesLinkDownAndUpWhenKernelDemandsIt) {
  OldKernel kernel;
  const auto renamed = RenameLink(kernel, 5, "net1");
  ASSERT(renamed.ok());
  EXPECT(renamed.value());
  EXPECT(kernel.log == (std::vector<std::string>{"rename", "down", "rename", "up"}));
  EXPECT(kernel.up);
}

TEST(RenameLinkLeavesDownLinkDown) {
  OldKernel kernel;
  kernel.up = false;
  const auto renamed = RenameLink(kernel, 5, "net1");
  ASSERT(renamed.ok());
  EXPECT(!renamed.value());
  EXPECT(kernel.log == std::vector<std::string>{"rename"});
  EXPECT(!kernel.up);
}

TEST(RenameLinkBringsLinkUpAgainWhenRenameFails) {
  OldKernel kernel;
  kernel.rename_error = EEXIST;
  const auto renamed = RenameLink(kernel, 5, "net1");
  ASSERT(!renamed.ok());
  EXPECT_EQ(renamed.error().code, EEXIST);
  EXPECT_EQ(renamed.error().ifname, "net1");
  EXPECT(kernel.up);
}

TEST(RenameLinkSaysWhenLinkStayedDown) {
  OldKernel kernel;
  kernel.up_error = EIO;
  const auto renamed = RenameLink(kernel, 5, "net1");
  ASSERT(!renamed.ok());
  EXPECT_EQ(renamed.error().code, EIO);
  EXPECT(renamed.error().detail.find("stayed down") != std::string::npos);
}

TEST(RenameLinkReportsBusyOfDownLink) {
  // Busy for another reason than being up: taking it down would not help.
  OldKernel kernel;
  kernel.up = false;
  kernel.rename_error = EBUSY;
  EXPECT_EQ(RenameLink(kernel, 5, "net1").error().code, EBUSY);
  EXPECT(kernel.log == std::vector<std::string>{"rename"});
}

}  // namespace multus::test
