// A fuzzer's input read as a recipe for a file instead of as the file.
//
// Mutations of bytes seldom keep a file's lengths, counts and offsets in step, so they seldom get
// past them. What is built from a recipe is mostly in step, and awkward where the recipe says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace braid::fuzz {

class Recipe {
 public:
  explicit Recipe(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  // 0 when the recipe is at its end, so that every recipe comes to one.
  uint8_t byte() { return at_ < bytes_.size() ? bytes_[at_++] : uint8_t{0}; }
  size_t below(size_t n) { return byte() % n; }
  bool seldom() { return byte() >= 250; }

  // Mostly small, seldom at the edge of some integer type.
  int64_t number() {
    constexpr int64_t kAwkward[] = {-1,        INT64_MIN, INT64_MAX,        (int64_t{1} << 62) + 1,
                                    INT32_MAX, 256,       int64_t{1} << 32, 1000};
    const uint8_t b = byte();
    return b < 240 ? b % 40 : kAwkward[b % 8];
  }

  std::string text(size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += static_cast<char>(byte());
    return out;
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

std::string build_gguf(Recipe recipe);
std::string build_safetensors(Recipe recipe);

}  // namespace braid::fuzz
