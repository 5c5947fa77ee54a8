#include "test/record.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <iostream>

#include "core/netlink_socket.h"
#include "test/bytes.h"

namespace multus::test {

bool RecordLink(const std::string& name, std::uint32_t mask) {
  const auto fd = OpenRouteSocket();
  if (!fd.ok()) return false;
  NetlinkSocket socket(fd.value().get());
  MessageBuilder request(RTM_GETLINK, 0);
  request.Fixed(ifinfomsg{.ifi_family = AF_UNSPEC});
  request.AddU32(IFLA_EXT_MASK, mask).AddString(IFLA_IFNAME, name);
  auto reply = socket.Get(request, "RTM_GETLINK");
  if (!reply.ok()) return false;
  Buffer& bytes = reply.value();
  auto header = ReadAs<nlmsghdr>(bytes).value_or(nlmsghdr{});
  header.nlmsg_seq = kSequence;
  header.nlmsg_pid = kPort;
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::cout.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
  return std::cout.flush().good();
}

}  // namespace multus::test
