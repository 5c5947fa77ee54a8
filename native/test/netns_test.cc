// Against the kernel, but without root: nothing here enters another namespace.
#include "core/netns.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/links.h"
#include "core/netlink_socket.h"
#include "test/test.h"

namespace multus::test {

namespace {

bool Contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

/// A path of this process in the temporary folder.
std::string Scratch(const char* name) {
  return "/tmp/multus-core-test-" + std::to_string(getpid()) + "-" + name;
}

Error ErrorOf(const std::string& path) {
  auto netns = OpenNetns(path);
  return netns.ok() ? Error{} : netns.error();
}

}  // namespace

TEST(OpenNetnsRefusesVanishedPath) {
  const Error error = ErrorOf("/run/netns/no-such-namespace");
  EXPECT_EQ(error.code, ENOENT);
  EXPECT_EQ(error.syscall, "openat");
  EXPECT_EQ(error.path, "/run/netns/no-such-namespace");
}

TEST(OpenNetnsRefusesOtherKindsOfNamespace) {
  const Error mount = ErrorOf("/proc/self/ns/mnt");
  EXPECT_EQ(mount.code, EINVAL);
  EXPECT_EQ(mount.detail, "is a mount namespace, not a network namespace");
  EXPECT_EQ(ErrorOf("/proc/self/ns/pid").detail, "is a PID namespace, not a network namespace");
  EXPECT_EQ(ErrorOf("/proc/self/ns/user").detail, "is a user namespace, not a network namespace");
}

TEST(OpenNetnsRefusesFilesAndFolders) {
  EXPECT(Contains(ErrorOf("/proc/self/status").detail, "is not a namespace file"));
  EXPECT(Contains(ErrorOf("/tmp").detail, "is a directory"));
  const std::string file = Scratch("file");
  const UniqueFd fd(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT(Contains(ErrorOf(file).detail, "the namespace that was mounted here is gone"));
  EXPECT_EQ(write(fd.get(), "x", 1), 1);
  EXPECT_EQ(ErrorOf(file).detail, "is not a namespace file");
  EXPECT_EQ(ErrorOf(file).code, EINVAL);
  unlink(file.c_str());
}

TEST(OpenNetnsDoesNotWaitForFifo) {
  const std::string fifo = Scratch("fifo");
  ASSERT(mkfifo(fifo.c_str(), 0600) == 0);
  EXPECT_EQ(ErrorOf(fifo).code, EINVAL);
  unlink(fifo.c_str());
}

TEST(OpenNetnsGivesIdentity) {
  const auto one = OpenNetns("/proc/self/ns/net");
  const auto two = OpenNetns("/proc/thread-self/ns/net");
  ASSERT(one.ok() && two.ok());
  EXPECT_EQ(one.value().ino, two.value().ino);
  EXPECT_EQ(one.value().dev, two.value().dev);
  EXPECT(one.value().ino != 0);
  EXPECT((fcntl(one.value().fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST(OpenRouteSocketInRefusesWhatIsNoNamespace) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto socket = OpenRouteSocketIn(null.get());
  ASSERT(!socket.ok());
  EXPECT_EQ(socket.error().syscall, "setns");
}

TEST(NetlinkSocketRefusesOtherFds) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  NetlinkSocket file(null.get());
  EXPECT_EQ(ListLinks(file).error().code, ENOTSOCK);
  NetlinkSocket closed(1000000);
  EXPECT_EQ(ListLinks(closed).error().code, EBADF);
}

TEST(NetlinkSocketListsAndGetsLoopback) {
  const auto fd = OpenRouteSocketIn(-1);
  ASSERT(fd.ok());
  NetlinkSocket socket(fd.value().get());
  const auto links = ListLinks(socket);
  ASSERT(links.ok() && !links.value().empty());
  const auto by_name = GetLinkByName(socket, links.value()[0].name);
  ASSERT(by_name.ok());
  EXPECT_EQ(by_name.value().index, links.value()[0].index);
  const auto missing = GetLink(socket, 0x7ffffff0);
  ASSERT(!missing.ok());
  EXPECT_EQ(missing.error().code, ENODEV);
  EXPECT(!missing.error().detail.empty());
}

TEST(NetlinkSocketReportsRefusedDump) {
  const auto fd = OpenRouteSocketIn(-1);
  ASSERT(fd.ok());
  NetlinkSocket socket(fd.value().get());
  MessageBuilder request(RTM_GETLINK, NLM_F_DUMP);
  request.Fixed(ifinfomsg{.ifi_index = 1});
  const auto reply = socket.Dump(request, "RTM_GETLINK");
  ASSERT(!reply.ok());
  EXPECT_EQ(reply.error().code, EINVAL);
  EXPECT(!reply.error().detail.empty());
  EXPECT(ListLinks(socket).ok());  // The socket is as good as before.
}

}  // namespace multus::test
