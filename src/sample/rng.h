// The random numbers of sampling: a function of seed, position and draw, with no hidden state.
//
// Draw d at position t of a sequence with seed s is word d of the stream SplitMix64(w), where w is
// word t of SplitMix64(s). Word i of SplitMix64(x) is mix(x + (i + 1) g) in 64-bit arithmetic with
// g = 0x9E3779B97F4A7C15 and
//
//   mix(z):  z ^= z >> 30;  z *= 0xBF58476D1CE4E5B9
//            z ^= z >> 27;  z *= 0x94D049BB133111EB
//            z ^= z >> 31
//
// (Steele, Lea and Flood 2014, with the constants of Vigna's public description.) Integers only, so
// it is the same everywhere; and going back to a position, or checking drafted tokens several at a
// time, meets the same numbers again.
#pragma once

#include <cstdint>

namespace braid {

inline uint64_t splitmix_word(uint64_t start, uint64_t index) {
  uint64_t z = start + (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// The draws of one position.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t position) : start_(splitmix_word(seed, position)) {}

  uint64_t word() { return splitmix_word(start_, next_++); }

  // Uniform in [0, 1): a multiple of 2^-53.
  double uniform() { return static_cast<double>(word() >> 11) * 0x1p-53; }

 private:
  uint64_t start_;
  uint64_t next_ = 0;
};

}  // namespace braid
