// One HTTP/1.1 reply, as its bytes arrive.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace multus {

/// Understands Content-Length, chunked and until-close bodies, and `101 Switching Protocols`.
/// Memory is bounded (64 KiB of head, 64 MiB of body; more is kBad). Not thread-safe; owns its
/// bytes.
class HttpReply {
 public:
  enum class State {
    kHead,      ///< Status line and headers are incomplete.
    kBody,      ///< The body is incomplete.
    kDone,      ///< status() and body() are final.
    kUpgraded,  ///< 101: TakeRest() has the first bytes of the other protocol.
    kBad,       ///< Not an HTTP reply, too long, or cut off.
  };

  /// Adds received bytes. In a final state they are ignored.
  State Push(std::string_view bytes);

  /// The peer sends no more: completes an until-close body, any other incomplete reply is kBad.
  State Close();

  /// Status code, 0 while the head is incomplete.
  int status() const { return status_; }

  /// A `100 Continue` came: the peer has begun to read the request and will reply in its own time.
  bool continued() const { return continued_; }

  const std::string& body() const { return body_; }

  /// The value of the `Upgrade` header, empty when absent.
  const std::string& upgrade() const { return upgrade_; }

  /// What followed the head of a 101.
  std::string TakeRest();

 private:
  bool ParseHead();
  bool ParseHeader(std::string_view line);
  State ParseBody();
  State ParseChunks();

  State state_ = State::kHead;
  std::string buffer_;
  size_t offset_ = 0;  // Of what is not parsed yet.
  int status_ = 0;
  bool continued_ = false;
  std::string upgrade_;
  bool chunked_ = false;
  std::optional<size_t> length_;
  std::string body_;
};

}  // namespace multus
