// Runs the tests whose name contains argv[1], or all. Ends with "N passed, N failed"; fails when
// none ran. Or "record LINK MASK", see record.h.
#include <cstdlib>
#include <iostream>

#include "test/record.h"
#include "test/test.h"

namespace multus::test {

namespace {

int failures_of_test = 0;

}  // namespace

std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

void Fail(const char* file, int line, const std::string& text) {
  ++failures_of_test;
  std::cerr << file << ":" << line << ": " << text << "\n";
}

/// True when the test passed.
static bool RunCase(const Case& test) {
  failures_of_test = 0;
  test.run();
  if (failures_of_test == 0) return true;
  std::cerr << "FAILED " << test.name << "\n";
  return false;
}

}  // namespace multus::test

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "record") {
    const auto mask = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
    return multus::test::RecordLink(argv[2], mask) ? 0 : 1;
  }
  const std::string_view filter = argc > 1 ? argv[1] : "";
  int passed = 0;
  int failed = 0;
  for (const auto& test : multus::test::Cases()) {
    if (test.name.find(filter) == std::string_view::npos) continue;
    ++(multus::test::RunCase(test) ? passed : failed);
  }
  if (passed + failed == 0) std::cerr << "no test matches\n";
  std::cout << passed << " passed, " << failed << " failed\n";
  return failed == 0 && passed > 0 ? 0 : 1;
}
