#include "text/stream_decoder.h"

namespace braid {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the character that begins with this one, 0 when none does.
size_t length_from(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Whether `byte` may stand at `index` after this first byte. The second byte's limits shut out
// overlong forms, surrogates and what lies above U+10FFFF.
bool continues(unsigned char lead, size_t index, unsigned char byte) {
  unsigned char low = 0x80, high = 0xBF;
  if (index == 1) {
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  return byte >= low && byte <= high;
}

}  // namespace

void StreamDecoder::take(char byte, std::string& out) {
  const auto value = static_cast<unsigned char>(byte);
  if (size_ > 0 && !continues(static_cast<unsigned char>(held_[0]), size_, value)) {
    out += kReplacement;
    size_ = 0;
  }
  if (size_ == 0) length_ = length_from(value);
  if (length_ == 0) {
    out += kReplacement;
    return;
  }
  held_[size_++] = byte;
  if (size_ < length_) return;
  out.append(held_, size_);
  size_ = 0;
}

void StreamDecoder::feed(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) take(byte, out);
}

void StreamDecoder::finish(std::string& out) {
  if (size_ > 0) out += kReplacement;
  size_ = 0;
}

}  // namespace braid
