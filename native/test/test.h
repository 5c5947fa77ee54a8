// A small test harness. A file of tests includes this and writes TEST(name) { EXPECT_EQ(a, b); };
// main.cc runs them all.
#pragma once

#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace multus::test {

struct Case {
  std::string_view name;
  void (*run)();
};

/// All tests of the program, in the order of linking.
std::vector<Case>& Cases();

/// Count a failed expectation of the running test and print it as file:line: text.
void Fail(const char* file, int line, const std::string& text);

struct Registration {
  Registration(std::string_view name, void (*run)()) { Cases().push_back({name, run}); }
};

template <typename T>
inline constexpr bool kIsNumber =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

/// Equality that takes EXPECT_EQ(list.size(), 3) without a quarrel over signs.
template <typename A, typename B>
bool Equal(const A& a, const B& b) {
  if constexpr (kIsNumber<A> && kIsNumber<B>) {
    return std::cmp_equal(a, b);
  } else {
    return a == b;
  }
}

/// Print what can be printed; the rest is named only.
template <typename T>
void Print(std::ostream& out, const T& value) {
  if constexpr (kIsNumber<T>) {
    out << +value;  // A byte as a number.
  } else if constexpr (requires { out << value; }) {
    out << value;
  } else if constexpr (requires { value.has_value(); }) {
    if (value) {
      Print(out, *value);
    } else {
      out << "nothing";
    }
  } else {
    out << "(unprintable)";
  }
}

/// Fail with both values when they differ. A function, so that temporaries of the arguments outlive
/// the comparison.
void ExpectEqual(const char* file, int line, const char* expression, const auto& actual,
                 const auto& expected) {
  if (Equal(actual, expected)) return;
  std::ostringstream out;
  out << expression << "\n    actual:   ";
  Print(out, actual);
  out << "\n    expected: ";
  Print(out, expected);
  Fail(file, line, out.str());
}

}  // namespace multus::test

#define TEST(name)                                                                   \
  static void Test_##name();                                                         \
  static const ::multus::test::Registration registration_##name(#name, Test_##name); \
  static void Test_##name()

/// The test goes on after a failed expectation.
#define EXPECT(condition)                                                                \
  do {                                                                                   \
    if (!(condition)) ::multus::test::Fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (false)

#define EXPECT_EQ(actual, expected) \
  ::multus::test::ExpectEqual(__FILE__, __LINE__, #actual, (actual), (expected))

/// Like EXPECT, but leaves the test when it fails.
#define ASSERT(condition)                                                \
  do {                                                                   \
    if (!(condition)) {                                                  \
      ::multus::test::Fail(__FILE__, __LINE__, "not true: " #condition); \
      return;                                                            \
    }                                                                    \
  } while (false)
