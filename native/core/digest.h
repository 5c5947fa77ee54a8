// Digests of bytes: what Node's own take too long to load for (8 ms of a program that lives for
// 40).
#pragma once

#include <string>
#include <string_view>

namespace multus {

/// SHA-256 (FIPS 180-4), 64 hexadecimal digits.
std::string Sha256(std::string_view bytes);

/// 16 hexadecimal digits that tell damage, at some GB a second: any change within eight bytes
/// changes them, and one of more does but once in 2^64. Not meant for what somebody may forge, nor
/// for other machines.
std::string DamageSum(std::string_view bytes);

}  // namespace multus
