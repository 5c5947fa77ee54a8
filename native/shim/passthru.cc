#include "shim/passthru.h"

#include <cstring>
#include <string>

#include "core/json_scan.h"
#include "shim/invocation.h"

namespace multus {
namespace {

constexpr std::string_view kVersions =
    "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":"
    "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n";

Answer Add() {
  const Result<std::string> config = ReadConfig();
  if (!config.ok()) {
    return CniError("1.0.0", kDecodingFailure, "Cannot read the configuration from stdin",
                    strerror(config.error().code));
  }
  const auto version = FindJsonString(config.value(), "cniVersion").value_or("0.1.0");
  const auto previous = FindJsonValue(config.value(), "prevResult").value_or("null");
  if (previous != "null") return {.exit_code = 0, .bytes = std::string(previous) + "\n"};
  if (!FindJsonValue(config.value(), "type").has_value()) {
    return CniError(version, kDecodingFailure,
                    "Cannot use the configuration on stdin: it is no object with a \"type\"", {});
  }
  Answer empty{.exit_code = 0, .bytes = "{\"cniVersion\":"};
  AppendJsonString(&empty.bytes, version);
  empty.bytes += "}\n";
  return empty;
}

}  // namespace

Answer RunPassthru(std::string_view command) {
  if (command == "ADD") return Add();
  if (command == "VERSION") return {.exit_code = 0, .bytes = std::string(kVersions)};
  for (const std::string_view known : {"DEL", "CHECK", "STATUS", "GC"}) {
    if (command == known) return {};
  }
  return CniError(
      "1.0.0", kInvalidEnvironment,
      "CNI_COMMAND must be ADD, DEL, CHECK, STATUS, GC or VERSION, got " + std::string(command),
      {});
}

}  // namespace multus
