// What the shim prints: a CNI result or a CNI error.
#pragma once

#include <string>
#include <string_view>

namespace multus {

/// The end of an operation as the runtime sees it.
struct Answer {
  int exit_code = 0;
  std::string bytes;  ///< For stdout.
};

/// Codes of the CNI specification.
inline constexpr int kInvalidEnvironment = 4;
inline constexpr int kIoFailure = 5;
inline constexpr int kDecodingFailure = 6;
inline constexpr int kTryAgainLater = 11;
inline constexpr int kInternalError = 999;

/// A CNI error object and exit code 1. `details` may be empty.
Answer CniError(std::string_view cni_version, int code, std::string_view message,
                std::string_view details);

/// The answer in an HTTP reply of a daemon that runs delegates itself: `{"Result": ...}`, a CNI
/// error, or a text.
Answer AnswerFromReply(int status, std::string_view body, std::string_view cni_version);

/// Writes all of `bytes` to stdout, waiting as necessary; gives up when nobody reads.
void WriteStdout(std::string_view bytes);

}  // namespace multus
