#include "core/digest.h"

#include <set>

#include "test/test.h"

namespace multus {
namespace {

// FIPS 180-4's own examples, and lengths around those at which the padding needs a block more.
TEST(Sha256_is_what_the_standard_says) {
  EXPECT_EQ(Sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(DamageSum_differs_for_each_changed_bit_and_each_length) {
  const std::string whole = "code that V8 would run without another look";
  std::set<std::string> sums = {DamageSum(whole)};
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    sums.insert(DamageSum(damaged));
  }
  for (std::size_t length = 0; length < whole.size(); ++length) {
    sums.insert(DamageSum(whole.substr(0, length)));
    sums.insert(DamageSum(std::string(length + 1, '\0')));
  }
  EXPECT_EQ(sums.size(), 1 + 8 * whole.size() + 2 * whole.size());
  EXPECT_EQ(DamageSum(whole), DamageSum(std::string(whole)));
}

}  // namespace
}  // namespace multus
