#include "core/addresses.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

#include "test/bytes.h"
#include "test/fixtures/messages.h"
#include "test/test.h"

namespace multus::test {

namespace {

std::vector<Address> Recorded() { return ParseAll(FromHex(kAddressDump), ParseAddress); }

std::optional<Address> Find(const std::string& text) {
  for (const Address& address : Recorded()) {
    if (address.text == text) return address;
  }
  return std::nullopt;
}

}  // namespace

TEST(ParseAddressRefusesOtherFamiliesAndShortMessages) {
  const Buffer brief = RawMessage(RTM_NEWADDR, 0, Buffer(7));
  EXPECT(!ParseAddress(FirstMessage(brief)).has_value());
  MessageBuilder other(RTM_NEWADDR, 0);
  other.Fixed(ifaddrmsg{.ifa_family = AF_PHONET}).AddU32(IFA_LOCAL, 1);
  const Buffer bytes = Finished(other);
  EXPECT(!ParseAddress(FirstMessage(bytes)).has_value());
}

TEST(ParseAddressRefusesAddressOfWrongSize) {
  MessageBuilder builder(RTM_NEWADDR, 0);
  builder.Fixed(ifaddrmsg{.ifa_family = AF_INET6}).AddU32(IFA_ADDRESS, 1);
  const Buffer bytes = Finished(builder);
  EXPECT(!ParseAddress(FirstMessage(bytes)).has_value());
}

TEST(ParseAddressReadsIpv4) {
  const auto address = Find("10.1.0.2");
  ASSERT(address.has_value());
  EXPECT_EQ(address->family, AF_INET);
  EXPECT_EQ(address->index, 3);
  EXPECT_EQ(address->prefix_length, 24);
  EXPECT_EQ(address->scope, RT_SCOPE_UNIVERSE);
}

TEST(ParseAddressTakesOwnSideOfPointToPoint) {
  EXPECT(Find("10.9.0.1").has_value());
  EXPECT(!Find("10.9.0.2").has_value());
}

TEST(ParseAddressReadsIpv6AndWideFlags) {
  const auto address = Find("fd00::2");
  ASSERT(address.has_value());
  EXPECT_EQ(address->family, AF_INET6);
  EXPECT_EQ(address->prefix_length, 64);
  EXPECT((address->flags & IFA_F_NODAD) != 0);
  // Bits beyond eight are only in IFA_FLAGS.
  MessageBuilder builder(RTM_NEWADDR, 0);
  builder.Fixed(ifaddrmsg{.ifa_family = AF_INET, .ifa_flags = 0x80}).AddU32(IFA_LOCAL, 1);
  builder.AddU32(IFA_FLAGS, IFA_F_NOPREFIXROUTE);
  const Buffer bytes = Finished(builder);
  EXPECT_EQ(ParseAddress(FirstMessage(bytes)).value_or(Address{}).flags, IFA_F_NOPREFIXROUTE);
}

}  // namespace multus::test
