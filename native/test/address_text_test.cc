#include "core/address_text.h"

#include <sys/socket.h>

#include "test/bytes.h"
#include "test/test.h"

namespace multus::test {

TEST(ParseMacRefusesWhatIsNone) {
  for (const char* text : {"", "0", "02:00:00:00:00", "02-00-00-00-00-01", "02:00:00:00:00:0g",
                           "02:00:00:00:00:01:", "+2:00:00:00:00:01", " 2:00:00:00:00:01"}) {
    const auto mac = ParseMac(text);
    EXPECT(!mac.has_value() || mac->size() != 6);
  }
  std::string long_one = "00";
  for (int i = 0; i < 32; ++i) long_one += ":00";
  EXPECT(!ParseMac(long_one).has_value());
}

TEST(ParseMacReadsWhatFormatMacWrites) {
  const Buffer mac = FromHex("02aBfF000109");
  EXPECT_EQ(FormatMac(mac), "02:ab:ff:00:01:09");
  EXPECT(ParseMac("02:AB:ff:00:01:09") == mac);
  EXPECT_EQ(FormatMac({}), "");
  EXPECT_EQ(FormatMac(FromHex("0a")), "0a");
}

TEST(ParsePrefixRefusesWhatIsNone) {
  for (const char* text : {"", "10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0/8", "::1/129",
                           "10.0.0.1/-1", "10.0.0.1/+1", "10.0.0.1/ 8", "fe80::1%eth0/64",
                           "010.0.0.1/8", "/8", "10.0.0.1/99999999999", "default"}) {
    EXPECT(!ParsePrefix(text).has_value());
  }
  EXPECT(!ParsePrefix(std::string_view("10.0.0.1\0/8", 11)).has_value());
}

TEST(ParsePrefixReadsBothFamilies) {
  const auto ipv4 = ParsePrefix("10.1.2.3/8");
  ASSERT(ipv4.has_value());
  EXPECT_EQ(ipv4->length, 8);
  EXPECT_EQ(FormatIp(AF_INET, ipv4->address.view()), "10.1.2.3");
  const auto ipv6 = ParsePrefix("FD00:0::0:1/128");
  ASSERT(ipv6.has_value());
  EXPECT_EQ(ipv6->length, 128);
  EXPECT_EQ(FormatIp(AF_INET6, ipv6->address.view()), "fd00::1");
  EXPECT(ParsePrefix("0.0.0.0/0").has_value());
}

TEST(FormatIpRefusesOtherSizes) {
  EXPECT_EQ(FormatIp(AF_INET, FromHex("0a0000")), "");
  EXPECT_EQ(FormatIp(AF_INET6, FromHex("0a000001")), "");
  EXPECT_EQ(FormatIp(AF_UNIX, FromHex("0a000001")), "");
}

}  // namespace multus::test
