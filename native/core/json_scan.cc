#include "core/json_scan.h"

#include <cstdint>

namespace multus {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Walks over a document without building anything. No recursion: depth is the sender's choice.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

  bool Take(char wanted) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    at_++;
    return true;
  }

  // A string with its quotes.
  bool TakeString(std::string_view* out) {
    SkipSpace();
    const size_t start = at_;
    if (!Take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        at_++;
      } else if (c == '"') {
        *out = text_.substr(start, at_ - start);
        return true;
      }
    }
    return false;
  }

  bool TakeValue(std::string_view* out) {
    SkipSpace();
    const size_t start = at_;
    if (at_ == text_.size()) return false;
    const char first = text_[at_];
    if (first == '"') return TakeString(out);
    const bool taken = first == '{' || first == '[' ? SkipNested() : SkipLiteral();
    *out = text_.substr(start, at_ - start);
    return taken;
  }

 private:
  void SkipSpace() {
    at_ = text_.find_first_not_of(" \t\r\n", at_);
    if (at_ == std::string_view::npos) at_ = text_.size();
  }

  bool SkipNested() {
    size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      std::string_view ignored;
      if (c == '"') {
        if (!TakeString(&ignored)) return false;
        continue;
      }
      at_++;
      if (c == '{' || c == '[') depth++;
      if (c == '}' || c == ']') depth--;
      if (depth == 0) return true;
    }
    return false;
  }

  bool SkipLiteral() {
    const size_t start = at_;
    at_ = text_.find_first_of(" \t\r\n,:\"{}[]", at_);
    if (at_ == std::string_view::npos) at_ = text_.size();
    return at_ > start;
  }

  std::string_view text_;
  size_t at_ = 0;
};

void AppendUtf8(std::string* out, uint32_t code) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

bool TakeHex4(std::string_view* text, uint32_t* out) {
  if (text->size() < 4) return false;
  *out = 0;
  for (const char c : text->substr(0, 4)) {
    uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = static_cast<uint32_t>((c | 0x20) - 'a') + 10;
    } else {
      return false;
    }
    *out = *out << 4 | digit;
  }
  text->remove_prefix(4);
  return true;
}

// `text` stands behind "\u". A high surrogate takes the low one that follows along.
bool DecodeUnicode(std::string_view* text, std::string* out) {
  uint32_t code = 0;
  if (!TakeHex4(text, &code)) return false;
  const bool high = code >= 0xD800 && code < 0xDC00;
  if (high && text->starts_with("\\u")) {
    std::string_view after = text->substr(2);
    uint32_t low = 0;
    if (TakeHex4(&after, &low) && low >= 0xDC00 && low < 0xE000) {
      *text = after;
      AppendUtf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
      return true;
    }
  }
  if (code >= 0xD800 && code < 0xE000) {
    out->append(kReplacement);
  } else {
    AppendUtf8(out, code);
  }
  return true;
}

// `quoted` as TakeString left it, or any other value, which is no string.
std::optional<std::string> Decode(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != '"') return std::nullopt;
  std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    if (text.empty()) return std::nullopt;
    const char escape = text.front();
    text.remove_prefix(1);
    constexpr std::string_view kEscapes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t known = kEscapes.find(escape);
    if (known != std::string_view::npos) {
      out.push_back(kMeanings[known]);
    } else if (escape != 'u' || !DecodeUnicode(&text, &out)) {
      return std::nullopt;
    }
  }
  return out;
}

// Lower case, and the two letters outside ASCII that Go folds into it: U+017F (long s) and U+212A
// (kelvin sign).
std::string Fold(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("\xC5\xBF")) {
      out.push_back('s');
      text.remove_prefix(2);
    } else if (text.starts_with("\xE2\x84\xAA")) {
      out.push_back('k');
      text.remove_prefix(3);
    } else {
      const char c = text.front();
      out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
      text.remove_prefix(1);
    }
  }
  return out;
}

// Length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none (RFC 3629,
// table of 4).
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i, unsigned char low = 0x80, unsigned char high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = tail(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = tail(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<std::string_view> FindJsonValue(std::string_view document, std::string_view key) {
  const std::string wanted = Fold(key);
  std::optional<std::string_view> found;
  Scanner scanner(document);
  if (!scanner.Take('{')) return std::nullopt;
  if (!scanner.Take('}')) {
    do {
      std::string_view name;
      std::string_view value;
      if (!scanner.TakeString(&name) || !scanner.Take(':') || !scanner.TakeValue(&value)) {
        return std::nullopt;
      }
      const std::optional<std::string> decoded = Decode(name);
      if (decoded.has_value() && Fold(*decoded) == wanted) found = value;
    } while (scanner.Take(','));
    if (!scanner.Take('}')) return std::nullopt;
  }
  if (!scanner.AtEnd()) return std::nullopt;
  return found;
}

std::optional<std::string> FindJsonString(std::string_view document, std::string_view key) {
  const std::optional<std::string_view> value = FindJsonValue(document, key);
  if (!value.has_value()) return std::nullopt;
  return Decode(*value);
}

void AppendJsonString(std::string* out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = Utf8Length(text);
    if (length == 0) {
      out->append(kReplacement);
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 0xf]);
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out->push_back('"');
}

}  // namespace multus
