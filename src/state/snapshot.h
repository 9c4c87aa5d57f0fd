// A sequence's state at one moment as host bytes: compact, canonical, fit for a file.
//
// Two parts, because keys and values can be cut at any token and shared as pages while recurrent
// state cannot: a recurrent part may later hang on pages that stay. Only what the next tokens need
// is in it: S of the current block, the ring entries of that block, raw rows of the convolution. A
// restored sequence steps back to `floor`, which is the start of the current block unless the
// source held less. The recurrent part alone, on pages that somebody keeps, is what prefix_tree.h
// is made of.
#pragma once

#include "state/sequence.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace braid {

// With n = length % kBlock entries in the current block.
struct RecurrentSnapshot {
  int64_t floor = 0;  // shortest length that the rows of `conv` allow
  std::vector<float>
      blocks;  // per layer: S [Hv][Dk][Dv], key [Hk][n][Dk], update [Hv][n][Dv], decay [Hv][n]
  std::vector<float> conv;  // [positions max(0, floor - kConvHistory) .. length-1][layer][conv_dim]

  size_t bytes() const { return (blocks.size() + conv.size()) * sizeof(float); }
};

struct KvSnapshot {
  std::vector<std::byte> rows;  // per layer: keys [kv_head][length][head_dim], then values likewise

  size_t bytes() const { return rows.size(); }
};

struct Snapshot {
  StateSpec spec;
  DType key_type = DType::F16, value_type = DType::F16;
  std::vector<int32_t> tokens;  // their number is the length
  RecurrentSnapshot recurrent;
  KvSnapshot kv;

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
  size_t bytes() const { return recurrent.bytes() + kv.bytes() + tokens.size() * sizeof(int32_t); }
};

Snapshot take(const Sequence& sequence);
// A new sequence with slot and pages of its own. Throws Error when the snapshot comes from other
// shapes or cache types, or the pool is exhausted.
Sequence restore(StatePool& pool, const Snapshot& snapshot);

// The same in parts, as a disk may keep them: keys and values of `rows` positions from `first` on,
// which is a multiple of kPageTokens, in the order of KvSnapshot.
struct KvPart {
  int64_t first = 0, rows = 0;
  std::vector<std::byte> bytes;
};
size_t kv_row_bytes(const StatePool& pool);  // of one position
// Of the positions that lie on these pages, the first of which is the part's first.
KvPart take_kv(const StatePool& pool, std::span<const int32_t> pages, int64_t first, int64_t rows);
// How many floats the parts of a snapshot have that stands at `length`.
size_t recurrent_block_floats(const StateSpec& spec, int64_t length);
size_t recurrent_conv_floats(const StateSpec& spec, int64_t length, int64_t floor);
// The parts cover all tokens; all sizes are right. Throws Error when the pool is exhausted.
Sequence restore(StatePool& pool, std::span<const int32_t> tokens,
                 const RecurrentSnapshot& recurrent, std::span<const KvPart> parts);

// The recurrent part alone, of the sequence as it was at `length`, which lies between its floor and
// its length: what the ring still holds needs no step of its own.
RecurrentSnapshot take_recurrent(const Sequence& sequence, int64_t length);
size_t recurrent_bytes(const Sequence& sequence, int64_t length);  // what that will take

// A sequence that stands after `tokens`, whose keys and values lie on `pages`. Full pages are
// shared; the last one, where it is partly filled, is copied at once, so what the sequence takes
// later is a matter of its length alone. `recurrent` was taken at `taken_at`, from where the
// sequence steps back to tokens.size(), at least recurrent.floor. Throws Error when the pool is
// exhausted.
Sequence resume(StatePool& pool, std::span<const int32_t> tokens, std::span<const int32_t> pages,
                const RecurrentSnapshot& recurrent, int64_t taken_at);

// For a file: header (magic, version, shapes, types, length), the parts, a checksum over all of it.
std::vector<std::byte> to_bytes(const Snapshot& snapshot);
// Throws Error, which names `origin`, unless the bytes are one whole and consistent snapshot.
Snapshot snapshot_from_bytes(std::span<const std::byte> bytes, std::string_view origin);

// What decides the following tokens and nothing else: equal timelines have equal bytes, however
// they were reached. (to_bytes also holds the rows to step back with, which depend on what the
// source still had.)
std::vector<std::byte> state_bytes(const Snapshot& snapshot);

}  // namespace braid
