// Scratch memory handed out in order and given back in frames.
//
// The base may be imaginary (null): recording a forward pass once against nothing finds out how
// much it needs, before anything is allocated.
#pragma once

#include "base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace braid {

class Arena {
 public:
  Arena() = default;  // imaginary and unlimited
  Arena(std::byte* base, size_t capacity) : base_(base), capacity_(capacity) {}

  template <class T>
  T* take(size_t count) {
    // As numbers: an offset to an imaginary base is no pointer arithmetic.
    const uintptr_t piece = reinterpret_cast<uintptr_t>(base_) + used_;
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    peak_ = std::max(peak_, used_);
    CHECK_THAT(!base_ || used_ <= capacity_, "{} bytes of scratch, {} planned", used_, capacity_);
    return reinterpret_cast<T*>(piece);
  }
  size_t peak() const { return peak_; }

  // What is taken while a frame lives is given back when it ends.
  class Frame {
   public:
    explicit Frame(Arena& arena) : arena_(arena), used_(arena.used_) {}
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    ~Frame() { arena_.used_ = used_; }

   private:
    Arena& arena_;
    size_t used_;
  };
  Frame frame() { return Frame(*this); }

 private:
  std::byte* base_ = nullptr;
  size_t capacity_ = 0, used_ = 0, peak_ = 0;
};

}  // namespace braid
