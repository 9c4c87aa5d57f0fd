// How a sequence's state lies in a device's memory, per layer. Kernels address it through the slots
// and page tables of the batch (rule S1): a base address and these layouts are all that they know
// beforehand.
#pragma once

#include "quant/dtype.h"

#include <cstddef>
#include <cstdint>

namespace braid {

// The delta rule runs in blocks of kBlock tokens aligned to the absolute position
// (docs/decisions/0003).
inline constexpr int kBlock = 16;
// Positions whose inputs stay in the ring: the current block and the one before it, so that a
// sequence can always step back by up to kBlock tokens exactly.
inline constexpr int kRing = 2 * kBlock;
static_assert((kRing & (kRing - 1)) == 0, "ring indices are masked");

// One slot of one Gated DeltaNet layer, all f32. At length L with b = L / kBlock:
//
//   state   [Hv][2][Dk][Dv]     S at the start of block b in half b % 2, of b-1 in the other half
//   key     [Hk][kRing][Dk]     normalised key of position p at p % kRing
//   update  [Hv][kRing][Dv]     u of position p: what the token wrote at its key
//   decay   [Hv][kRing]         log decay from the start of p's block up to and with p
//   conv    [kRing][conv_dim]   raw inputs of the convolution at position p
//
// S after position p of block b is  e^{G_p} S_b + sum_{i in b, i <= p} e^{G_p - G_i} k_i u_i^T  and
// is never stored: stepping back is forgetting the last entries.
struct RecurrentLayout {
  int key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0, conv_dim = 0;

  size_t state_floats() const { return size_t{2} * value_heads * key_dim * value_dim; }
  size_t key_floats() const { return size_t{kRing} * key_heads * key_dim; }
  size_t update_floats() const { return size_t{kRing} * value_heads * value_dim; }
  size_t decay_floats() const { return size_t{kRing} * value_heads; }
  size_t conv_floats() const { return size_t{kRing} * conv_dim; }
  size_t slot_floats() const {
    return state_floats() + key_floats() + update_floats() + decay_floats() + conv_floats();
  }
};

// The slot of one sequence, taken apart.
struct RecurrentSlot {
  RecurrentLayout layout;
  float *state_base, *key_base, *update_base, *decay_base, *conv_base;

  float* state(int value_head, int64_t block) const {
    const int half = static_cast<int>(block & 1);
    return state_base + (size_t{2} * value_head + half) * layout.key_dim * layout.value_dim;
  }
  float* key(int key_head, int64_t position) const {
    return key_base + (size_t{kRing} * key_head + (position & (kRing - 1))) * layout.key_dim;
  }
  float* update(int value_head, int64_t position) const {
    return update_base + (size_t{kRing} * value_head + (position & (kRing - 1))) * layout.value_dim;
  }
  float* decay(int value_head, int64_t position) const {
    return decay_base + size_t{kRing} * value_head + (position & (kRing - 1));
  }
  float* conv(int64_t position) const {  // position may be negative: reset() left zeros there
    return conv_base + size_t(position & (kRing - 1)) * layout.conv_dim;
  }
};

// All slots of one layer. Slot 0 is the trash slot (rule S2).
struct RecurrentPool {
  RecurrentLayout layout;
  float* base = nullptr;

  RecurrentSlot slot(int64_t index) const {
    float* p = base + static_cast<size_t>(index) * layout.slot_floats();
    RecurrentSlot s{layout, p, nullptr, nullptr, nullptr, nullptr};
    s.key_base = s.state_base + layout.state_floats();
    s.update_base = s.key_base + layout.key_floats();
    s.decay_base = s.update_base + layout.update_floats();
    s.conv_base = s.decay_base + layout.decay_floats();
    return s;
  }
};

// Attention looks at keys in partials of kPartial, aligned to the absolute position. Those of a run
// of kRun are combined in order, and then the runs; a page is a part of a partial.
inline constexpr int kPageTokens = 64;
inline constexpr int kPartial = 256;
inline constexpr int kRun = 1024;
static_assert(kPartial % kPageTokens == 0 && kRun % kPartial == 0);

enum class KvSide { kKeys, kValues };

// Keys and values of one attention layer: [page][kv_head], parts of kPageTokens rows of head_dim. A
// part has as many bytes as its rows; how they lie is the device's choice (Device::get_kv_rows).
// Page 0 is trash.
struct KvPool {
  int kv_heads = 0, head_dim = 0;
  DType key_type = DType::F16, value_type = DType::F16;
  std::byte *keys = nullptr, *values = nullptr;

  size_t row(KvSide side) const {  // bytes
    return row_bytes(side == KvSide::kKeys ? key_type : value_type, head_dim);
  }
  std::byte* part(KvSide side, int64_t page, int head) const {
    return (side == KvSide::kKeys ? keys : values) +
           (static_cast<size_t>(page) * kv_heads + head) * kPageTokens * row(side);
  }
  std::byte* keys_of(int64_t page, int head) const { return part(KvSide::kKeys, page, head); }
  std::byte* values_of(int64_t page, int head) const { return part(KvSide::kValues, page, head); }
  size_t page_bytes(DType type) const {
    return size_t{kPageTokens} * kv_heads * row_bytes(type, head_dim);
  }
};

// Rows [first, first + count) of what one head has of a page.
struct KvSpan {
  KvSide side;
  int64_t page;
  int head;
  int64_t first = 0, count = kPageTokens;
};

// The rows of a step that continue one sequence.
struct Segment {
  int32_t row = 0;  // first row
  int32_t rows = 0;
  int32_t position = 0;  // absolute position of the first row
  int32_t slot = 0;
};

// Everything that changes between steps, in device memory at addresses that do not (rule S1).
struct BatchView {
  struct Counts {
    int32_t rows = 0, segments = 0, logit_rows = 0;
  };
  const Counts* counts = nullptr;
  const int32_t* tokens = nullptr;      // [rows]
  const Segment* segments = nullptr;    // [segments], in order of their rows, covering all of them
  const int32_t* pages = nullptr;       // [segments, max_pages], a segment's page table
  const int32_t* logit_rows = nullptr;  // [logit_rows], ascending
  int32_t max_pages = 0;

  int64_t page(int segment, int64_t position) const {
    return pages[static_cast<int64_t>(segment) * max_pages + position / kPageTokens];
  }
};

}  // namespace braid
