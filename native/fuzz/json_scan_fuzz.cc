// Hostile JSON for the shim's scanner.
//
//   clang++-16 -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Inative \
//     native/fuzz/json_scan_fuzz.cc native/core/json_scan.cc -o /tmp/json_scan_fuzz
//   /tmp/json_scan_fuzz -max_total_time=60
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/json_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const char* key : {"binDir", "a", ""}) {
    const auto value = multus::FindJsonValue(input, key);
    // A view outside the document would be printed as a CNI result.
    if (value.has_value() && (value->data() < input.data() ||
                              value->data() + value->size() > input.data() + input.size())) {
      abort();
    }
    (void)multus::FindJsonString(input, key);
  }
  // What we write, we read; and again, because it is UTF-8 by then.
  std::string document = "{\"k\":";
  multus::AppendJsonString(&document, input);
  document += "}";
  const auto read = multus::FindJsonString(document, "k");
  if (!read.has_value()) abort();
  std::string again = "{\"k\":";
  multus::AppendJsonString(&again, *read);
  again += "}";
  if (again != document) abort();
  return 0;
}
