// What state a model's layers need: shapes only, no memory.
//
// A model states its spec once; pools, sequences, snapshots and the memory plan follow from it, so
// that a new kind of layer state changes this list and the pool, nothing else.
#pragma once

#include "device/state_view.h"

#include <string>
#include <variant>
#include <vector>

namespace braid {

// The convolution of a recurrent layer has 4 taps: it reads this many raw rows before the current
// one.
inline constexpr int kConvHistory = 3;

struct KvSpec {
  int kv_heads = 0, head_dim = 0;
  bool operator==(const KvSpec&) const = default;
};

// monostate: a layer that keeps nothing between tokens.
using LayerState = std::variant<std::monostate, KvSpec, RecurrentLayout>;

// In layer order, MTP layers appended. Their keys and values live on the same pages as the trunk's.
struct StateSpec {
  std::vector<LayerState> layers;

  bool has_recurrent() const;
  bool has_kv() const;
};

bool same_shape(const LayerState& a, const LayerState& b);
// "2 kv heads of 256", "16 key heads of 128, 32 value heads of 128, convolution of 8192".
std::string describe(const LayerState& layer);

}  // namespace braid
