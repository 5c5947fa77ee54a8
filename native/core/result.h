// Errors as values: every fallible function of the core returns Result<T>.
#pragma once

#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace multus {

/// What failed. `code` is a positive errno; `syscall` the call or netlink message ("openat",
/// "RTM_SETLINK"); `detail` the kernel's extended-ack text or our own explanation, may be empty.
struct Error {
  int code = 0;
  std::string syscall;
  std::string detail;
  std::string ifname;  ///< Interface that the call was about, when there is one.
  std::string path;    ///< File or netns path that the call was about, when there is one.
};

/// A value or an Error. Check ok() before value() or error().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  Error& error() { return std::get<1>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value.
struct Unit {};

/// Error from the current errno.
inline Error ErrnoError(const char* syscall, std::string detail = {}) {
  return Error{.code = errno, .syscall = syscall, .detail = std::move(detail)};
}

}  // namespace multus
