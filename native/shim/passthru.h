// `passthru`: the plugin that changes nothing, under which Multus's configurations begin a chain of
// plugins that make no interface.
#pragma once

#include <string_view>

#include "shim/answer.h"

namespace multus {

/// The name under which the shim is this plugin.
inline constexpr std::string_view kPassthru = "passthru";

/// Does what `command` (CNI_COMMAND) asks for with stdin: ADD answers with the result of the plugin
/// before it, all of it, or with an empty one; the others succeed.
Answer RunPassthru(std::string_view command);

}  // namespace multus
