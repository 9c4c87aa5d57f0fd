// A 64-bit checksum against torn and damaged files; no defence against intent.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace braid {

// FNV-1a's scheme on words of 8 bytes, with a shift that lets high bits reach low ones. Every step
// is a bijection of the running value, so any damage confined to one word is certain to be seen.
inline uint64_t checksum64(std::span<const std::byte> bytes) {
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kPrime = 0x100000001b3, kStart = 0xcbf29ce484222325;
  uint64_t sum = kStart ^ bytes.size();
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof word, bytes.size() - at));
    sum = (sum ^ word) * kPrime;
    sum ^= sum >> 29;
  }
  return sum;
}

}  // namespace braid
