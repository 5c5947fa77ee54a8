// The only JSON that the shim knows: one top-level value of an object, and writing strings.
// Everything else is the daemon's, which reads the same bytes with a real parser and explains what
// is wrong with them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace multus {

/// The bytes of the value of top-level `key` in the object `document`: a view into it. Keys match
/// regardless of case and the last one wins, as with Go's encoding/json. Nothing when the key is
/// absent or the document is not one object; nested values are skipped by their brackets, not
/// validated.
std::optional<std::string_view> FindJsonValue(std::string_view document, std::string_view key);

/// The same for a string, decoded; nothing when the value is not a well-formed string. Unpaired
/// surrogates become U+FFFD.
std::optional<std::string> FindJsonString(std::string_view document, std::string_view key);

/// Appends `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD, so the output
/// always parses.
void AppendJsonString(std::string* out, std::string_view text);

}  // namespace multus
