#include "tools/terminal/keys.h"

#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <optional>

namespace braid {
namespace {

using enum KeyCode;

constexpr char kEscape = '\x1B';
constexpr std::string_view kPasteEnd = "\x1B[201~";

std::optional<KeyCode> control_key(char byte) {
  switch (byte) {
    case '\r':
      return kEnter;
    case '\n':
      return kNewline;
    case '\t':
      return kTab;
    case '\x7F':
    case 'H' - 64:
      return kBackspace;
    case 'A' - 64:
      return kHome;
    case 'B' - 64:
      return kLeft;
    case 'C' - 64:
      return kInterrupt;
    case 'D' - 64:
      return kDeleteOrEnd;
    case 'E' - 64:
      return kEnd;
    case 'F' - 64:
      return kRight;
    case 'G' - 64:
      return kCancel;
    case 'K' - 64:
      return kKillToEnd;
    case 'L' - 64:
      return kClearScreen;
    case 'N' - 64:
      return kDown;
    case 'P' - 64:
      return kUp;
    case 'R' - 64:
      return kSearch;
    case 'T' - 64:
      return kTranspose;
    case 'U' - 64:
      return kKillToStart;
    case 'W' - 64:
      return kKillBlock;
    case 'Y' - 64:
      return kYank;
    case 'Z' - 64:
      return kSuspend;
    default:
      return std::nullopt;
  }
}

std::optional<KeyCode> alt_key(char byte) {
  switch (byte) {
    case '\r':
    case '\n':
      return kNewline;
    case 'b':
      return kWordLeft;
    case 'f':
      return kWordRight;
    case 'd':
      return kKillWordForward;
    case '\x7F':
    case 'H' - 64:
      return kKillWordBack;
    default:
      return std::nullopt;
  }
}

// A sequence ESC [ numbers final: the final letter and up to three numbers.
struct Sequence {
  char final = 0;
  std::array<int, 3> numbers{};
};

std::optional<KeyCode> arrow(char final, bool by_word) {
  switch (final) {
    case 'A':
      return kUp;
    case 'B':
      return kDown;
    case 'C':
      return by_word ? kWordRight : kRight;
    case 'D':
      return by_word ? kWordLeft : kLeft;
    case 'H':
      return kHome;
    case 'F':
      return kEnd;
    default:
      return std::nullopt;
  }
}

std::optional<KeyCode> sequence_key(const Sequence& s, bool alt) {
  // A modifier is 1 and a sum of 1 shift, 2 alt, 4 control.
  const int modifier = std::max(0, s.numbers[1] - 1);
  const bool by_word = alt || (modifier & 6) != 0;
  if (const auto key = arrow(s.final, by_word)) return key;
  if (s.final == 'u' && s.numbers[0] == 13) return modifier != 0 ? kNewline : kEnter;
  if (s.final != '~') return std::nullopt;
  switch (s.numbers[0]) {
    case 1:
    case 7:
      return kHome;
    case 4:
    case 8:
      return kEnd;
    case 3:
      return by_word ? kKillWordForward : kDelete;
    case 27:
      return s.numbers[2] == 13 ? std::optional(kNewline) : std::nullopt;
    default:
      return std::nullopt;
  }
}

// Line ends as \n, whatever the terminal made of them.
std::string with_line_feeds(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

// Bytes that a character beginning like this has.
size_t expected_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC2 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF5 ? 4 : 1;
}

}  // namespace

void KeyDecoder::feed(std::string_view bytes, std::vector<Key>& keys) {
  held_ += bytes;
  while (!held_.empty()) {
    const size_t taken = pasting_ ? take_paste(keys) : take(keys);
    if (taken == 0) return;
    held_.erase(0, taken);
  }
}

void KeyDecoder::flush(std::vector<Key>& keys) {
  if (pasting_ || held_.empty()) return;
  if (held_ == std::string_view(&kEscape, 1)) keys.push_back({kCancel, ""});
  held_.clear();
}

size_t KeyDecoder::take(std::vector<Key>& keys) {
  if (held_[0] == kEscape) return take_escape(keys);
  if (const auto key = control_key(held_[0])) {
    keys.push_back({*key, ""});
    return 1;
  }
  if (static_cast<unsigned char>(held_[0]) < 0x20) return 1;
  const size_t length = expected_length(held_[0]);
  if (held_.size() < length) return 0;
  const size_t whole = utf8_length(held_, 0);
  if (whole == 0) return 1;  // no character: not typed by anybody
  keys.push_back({kText, held_.substr(0, whole)});
  return whole;
}

size_t KeyDecoder::take_escape(std::vector<Key>& keys) {
  if (held_.size() == 1) return 0;
  if (held_[1] == '[' || held_[1] == 'O') return take_sequence(keys, 1, false);
  if (held_[1] == kEscape) {  // Alt and a key that is a sequence itself
    if (held_.size() == 2) return 0;
    if (held_[2] == '[' || held_[2] == 'O') return take_sequence(keys, 2, true);
    return 1;
  }
  if (const auto key = alt_key(held_[1])) keys.push_back({*key, ""});
  const size_t length = expected_length(held_[1]);
  return held_.size() < 1 + length ? 0 : 1 + length;
}

size_t KeyDecoder::take_sequence(std::vector<Key>& keys, size_t begin, bool alt) {
  Sequence s;
  size_t number = 0;
  for (size_t i = begin + 1; i < held_.size(); ++i) {
    const char byte = held_[i];
    if (byte >= '0' && byte <= '9') {
      if (number < s.numbers.size() && s.numbers[number] < 10000)
        s.numbers[number] = s.numbers[number] * 10 + (byte - '0');
    } else if (byte == ';') {
      ++number;
    } else if (byte >= 0x40 && byte <= 0x7E) {
      s.final = byte;
      pasting_ = s.final == '~' && s.numbers[0] == 200;
      if (const auto key = sequence_key(s, alt); key && !pasting_) keys.push_back({*key, ""});
      return i + 1;
    } else if (byte < 0x20) {
      return i;  // broken off by another key
    }
  }
  return 0;
}

size_t KeyDecoder::take_paste(std::vector<Key>& keys) {
  const size_t end = held_.find(kPasteEnd, searched_);
  if (end == std::string::npos) {
    searched_ = held_.size() - std::min(held_.size(), kPasteEnd.size() - 1);
    return 0;
  }
  pasting_ = false;
  searched_ = 0;
  keys.push_back({kPaste, with_line_feeds(std::string_view(held_).substr(0, end))});
  return end + kPasteEnd.size();
}

}  // namespace braid
