// Recording what the kernel at hand says, for tests on kernels that cannot say it.
#pragma once

#include <cstdint>
#include <string>

namespace multus::test {

/// Write the RTM_NEWLINK of a link to standard output, as it came but for sequence number and port
/// id, which become those of all messages in the tests. `mask`: RTEXT_FILTER_*. False when there is
/// no such link.
bool RecordLink(const std::string& name, std::uint32_t mask);

}  // namespace multus::test
