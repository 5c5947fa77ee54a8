#include "core/http_reply.h"

#include <algorithm>
#include <utility>

namespace multus {
namespace {

constexpr size_t kMaxHead = 64 * 1024;
constexpr size_t kMaxBody = 64 * 1024 * 1024;
constexpr size_t kMaxSizeLine = 1024;  // Of a chunk: digits and extensions.
constexpr std::string_view kLineEnd = "\r\n";

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// A whole number of at most kMaxBody in base 10 or 16.
std::optional<size_t> ParseNumber(std::string_view text, size_t base) {
  if (text.empty()) return std::nullopt;
  size_t number = 0;
  for (const char c : Lower(text)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const size_t digit = kDigits.find(c);
    if (digit >= base) return std::nullopt;  // npos, too.
    number = number * base + digit;
    if (number > kMaxBody) return std::nullopt;
  }
  return number;
}

}  // namespace

HttpReply::State HttpReply::Push(std::string_view bytes) {
  if (state_ != State::kHead && state_ != State::kBody) return state_;
  buffer_.append(bytes);
  while (state_ == State::kHead) {
    const size_t end = buffer_.find("\r\n\r\n", offset_);
    const bool whole = end != std::string::npos;
    if ((whole ? end : buffer_.size()) - offset_ > kMaxHead) return state_ = State::kBad;
    if (!whole) return state_;
    if (!ParseHead()) return state_ = State::kBad;
    offset_ = end + 4;
    if (status_ == 101) return state_ = State::kUpgraded;
    if (status_ >= 200) {
      state_ = State::kBody;
    } else {
      continued_ = continued_ || status_ == 100;
      status_ = 0;
    }
  }
  return state_ = ParseBody();
}

HttpReply::State HttpReply::Close() {
  if (state_ == State::kBody && !chunked_ && !length_.has_value()) return state_ = State::kDone;
  if (state_ == State::kHead || state_ == State::kBody) state_ = State::kBad;
  return state_;
}

std::string HttpReply::TakeRest() {
  std::string rest = buffer_.substr(offset_);
  buffer_.clear();
  offset_ = 0;
  return rest;
}

// The head begins at offset_ and is known to end with an empty line.
bool HttpReply::ParseHead() {
  std::string_view head = std::string_view(buffer_).substr(offset_);
  const std::string_view status_line = head.substr(0, head.find(kLineEnd));
  if (!status_line.starts_with("HTTP/1.") || status_line.size() < 12 || status_line[8] != ' ') {
    return false;
  }
  const std::optional<size_t> status = ParseNumber(status_line.substr(9, 3), 10);
  if (!status.has_value() || *status < 100) return false;
  status_ = static_cast<int>(*status);
  chunked_ = false;
  length_.reset();
  for (;;) {
    head.remove_prefix(head.find(kLineEnd) + kLineEnd.size());
    const std::string_view line = head.substr(0, head.find(kLineEnd));
    if (line.empty()) break;
    if (!ParseHeader(line)) return false;
  }
  if (status_ == 204 || status_ == 304) length_ = 0;
  return true;
}

bool HttpReply::ParseHeader(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string name = Lower(line.substr(0, colon));
  const std::string_view value = Trim(line.substr(colon + 1));
  if (name == "content-length") {
    length_ = ParseNumber(value, 10);
    return length_.has_value();
  }
  if (name == "transfer-encoding") chunked_ = Lower(value) == "chunked";
  if (name == "upgrade") upgrade_ = Lower(value);
  return true;
}

HttpReply::State HttpReply::ParseBody() {
  if (chunked_) return ParseChunks();
  const size_t wanted = length_.value_or(kMaxBody + 1) - body_.size();
  const size_t taken = std::min(wanted, buffer_.size() - offset_);
  body_.append(buffer_, offset_, taken);
  buffer_.clear();
  offset_ = 0;
  if (body_.size() > kMaxBody) return State::kBad;
  return taken == wanted ? State::kDone : State::kBody;
}

HttpReply::State HttpReply::ParseChunks() {
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(offset_);
    const size_t line_end = rest.find(kLineEnd);
    if (line_end == std::string_view::npos) {
      return rest.size() > kMaxSizeLine ? State::kBad : State::kBody;
    }
    const std::string_view line = rest.substr(0, line_end);
    const std::optional<size_t> size = ParseNumber(Trim(line.substr(0, line.find(';'))), 16);
    if (!size.has_value() || body_.size() + *size > kMaxBody) return State::kBad;
    if (*size == 0) return State::kDone;  // Trailers say nothing that is of use here.
    const size_t start = line_end + kLineEnd.size();
    if (rest.size() < start + *size + kLineEnd.size()) return State::kBody;
    if (rest.substr(start + *size, kLineEnd.size()) != kLineEnd) return State::kBad;
    body_.append(rest.substr(start, *size));
    offset_ += start + *size + kLineEnd.size();
  }
}

}  // namespace multus
