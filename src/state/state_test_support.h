// For the tests of state/: a device that is host memory, and a step that writes markers.
//
// The fake step leaves in slots and pages what device/state_view.h says that a step leaves, with
// numbers that name position and history instead of real ones. So `ready` can tell whether
// everything that the next token of a timeline needs is there, and nothing stale in its place.
#pragma once

#include "base/check.h"
#include "state/sequence.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace braid::state_test {

class HostDevice : public Device {
 public:
  std::string_view name() const override { return "host"; }
  int threads(int64_t) const override { return 1; }
  const Ops& ops() const override { return ops_; }
  void upload(void* to, const void* from, size_t n) override { move(to, from, n); }
  void download(void* to, const void* from, size_t n) override { move(to, from, n); }
  void copy(void* to, const void* from, size_t n) override { move(to, from, n); }
  void zero(void* to, size_t n) override { std::memset(to, 0, n); }

  PackedVector prepare(std::span<const float>) override { return {}; }
  PackedMatrix prepare(const FileMatrix&, MatrixUse) override { return {}; }
  PackedGdn prepare(const GdnFileWeights&) override { return {}; }
  PackedAttention prepare(const AttentionFileWeights&) override { return {}; }
  PackedMlp prepare(const MlpFileWeights&) override { return {}; }
  PackedRouter prepare(const RouterFileWeights&) override { return {}; }
  PackedExperts prepare(const ExpertsFileWeights&) override { return {}; }
  PackedMtpJoint prepare(const MtpJointFileWeights&) override { return {}; }
  void run(const Program&, const Buffer&, const std::atomic<bool>*) override {}
  uint64_t weight_bytes_read() const override { return 0; }

  void get_kv_rows(const KvPool& pool, const KvSpan& span, std::byte* rows) override {
    if (short_of_memory) throw std::bad_alloc();
    Device::get_kv_rows(pool, span, rows);
  }

  size_t limit = SIZE_MAX;  // bytes that the device has
  bool short_of_memory = false;

 protected:
  // Filled with junk, unlike a real device: whoever needs zeros must ask.
  std::byte* allocate_bytes(size_t bytes) override {
    if (bytes > limit - allocated()) return nullptr;
    auto* data = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}));
    std::memset(data, 0xa5, bytes);
    return data;
  }
  void release_bytes(std::byte* data, size_t) override {
    ::operator delete (data, std::align_val_t{64});
  }

 private:
  static void move(void* to, const void* from, size_t n) {
    if (n) std::memcpy(to, from, n);
  }
  Ops ops_;
};

// Two recurrent layers, one without state, a trunk and an MTP attention layer.
inline StateSpec small_spec() {
  return {{RecurrentLayout{1, 2, 3, 2, 5}, KvSpec{2, 4}, std::monostate{},
           RecurrentLayout{2, 2, 1, 1, 2}, KvSpec{1, 2}}};
}

inline uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t h = (a ^ (b + 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
  return h ^ (h >> 31);
}

// history(tokens)[p] names tokens [0, p).
inline std::vector<uint64_t> history(std::span<const int32_t> tokens) {
  std::vector<uint64_t> names{1};
  for (int32_t token : tokens) names.push_back(mix(names.back(), static_cast<uint64_t>(token)));
  return names;
}

// A float of state, never 0.
inline float marker(uint64_t name, size_t layer, int kind, size_t index) {
  const uint64_t h = mix(mix(name, layer * 16 + static_cast<uint64_t>(kind)), index);
  return static_cast<float>((h & 0xffffff) + 1);
}

// Calls f(float&, wanted) for each float of the entries of `position` (name: the history up to and
// with it), and of S at the start of a block.
template <class F>
void each_row(const StatePool& pool, int32_t index, int64_t position, uint64_t name,
              bool conv_alone, F&& f) {
  for (size_t layer = 0; layer < pool.recurrent().size(); ++layer) {
    const RecurrentPool& p = pool.recurrent()[layer];
    if (!p.base) continue;
    const RecurrentSlot slot = p.slot(index);
    const auto floats = [&](float* at, int n, int kind, int head) {
      for (int i = 0; i < n; ++i)
        f(at[i],
          position < 0 ? 0.0f : marker(name, layer, kind, static_cast<size_t>(head * 1000 + i)));
    };
    floats(slot.conv(position), p.layout.conv_dim, 0, 0);
    if (conv_alone) continue;
    for (int h = 0; h < p.layout.key_heads; ++h)
      floats(slot.key(h, position), p.layout.key_dim, 1, h);
    for (int h = 0; h < p.layout.value_heads; ++h) {
      floats(slot.update(h, position), p.layout.value_dim, 2, h);
      floats(slot.decay(h, position), 1, 3, h);
    }
  }
}

template <class F>
void each_state(const StatePool& pool, int32_t index, int64_t block, uint64_t name, F&& f) {
  for (size_t layer = 0; layer < pool.recurrent().size(); ++layer) {
    const RecurrentPool& p = pool.recurrent()[layer];
    if (!p.base) continue;
    for (int h = 0; h < p.layout.value_heads; ++h)
      for (int i = 0; i < p.layout.key_dim * p.layout.value_dim; ++i)
        f(p.slot(index).state(h, block)[i],
          block == 0 ? 0.0f : marker(name, layer, 4, static_cast<size_t>(h * 1000 + i)));
  }
}

template <class F>
void each_kv(const StatePool& pool, std::span<const int32_t> pages, int64_t position, uint64_t name,
             F&& f) {
  for (size_t layer = 0; layer < pool.kv().size(); ++layer) {
    const KvPool& p = pool.kv()[layer];
    if (!p.keys) continue;
    const int32_t page = pages[static_cast<size_t>(position / kPageTokens)];
    for (int head = 0; head < p.kv_heads; ++head) {
      const auto at_byte = [&](DType type) {
        return static_cast<size_t>(position % kPageTokens) * row_bytes(type, p.head_dim);
      };
      for (size_t i = 0; i < row_bytes(p.key_type, p.head_dim); ++i)
        f(p.keys_of(page, head)[at_byte(p.key_type) + i],
          std::byte(mix(mix(name, layer * 2), size_t(head) * 1000 + i)));
      for (size_t i = 0; i < row_bytes(p.value_type, p.head_dim); ++i)
        f(p.values_of(page, head)[at_byte(p.value_type) + i],
          std::byte(mix(mix(name, layer * 2 + 1), size_t(head) * 1000 + i)));
    }
  }
}

// The writes of a step that continues `sequence` by these tokens.
inline void write_rows(const Sequence& sequence, std::span<const int32_t> tokens) {
  std::vector<int32_t> all(sequence.tokens().begin(), sequence.tokens().end());
  all.insert(all.end(), tokens.begin(), tokens.end());
  const std::vector<uint64_t> names = history(all);
  const auto set = [](auto& to, auto value) { to = value; };
  for (int64_t p = sequence.length(); p < static_cast<int64_t>(all.size()); ++p) {
    const uint64_t name = names[static_cast<size_t>(p) + 1];
    each_row(sequence.pool(), sequence.slot(), p, name, false, set);
    each_kv(sequence.pool(), sequence.pages(), p, name, set);
    if ((p + 1) % kBlock == 0)
      each_state(sequence.pool(), sequence.slot(), (p + 1) / kBlock, name, set);
  }
}

inline void step(Sequence& sequence, std::span<const int32_t> tokens) {
  sequence.reserve(static_cast<int64_t>(tokens.size()));
  write_rows(sequence, tokens);
  sequence.advance(tokens);
}

// Tokens that were never used before, so that what an earlier history left is never right by
// chance.
inline std::vector<int32_t> fresh(int64_t n) {
  static int32_t next = 1;
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  for (int32_t& token : tokens) token = next++;
  return tokens;
}

// Does the slot hold what the token after the first `length` tokens of this history needs?
inline bool ready(const Sequence& sequence, std::span<const uint64_t> names, int64_t length) {
  bool good = true;
  const auto compare = [&](float is, float wanted) { good = good && is == wanted; };
  const auto name = [&](int64_t p) { return p < 0 ? 0 : names[static_cast<size_t>(p) + 1]; };
  const int64_t start = length / kBlock * kBlock;
  each_state(sequence.pool(), sequence.slot(), start / kBlock, names[static_cast<size_t>(start)],
             compare);
  for (int64_t p = start; p < length && good; ++p)
    each_row(sequence.pool(), sequence.slot(), p, name(p), false, compare);
  for (int64_t p = length - kConvHistory; p < length && good; ++p)
    each_row(sequence.pool(), sequence.slot(), p, name(p), true, compare);
  return good;
}

// The same of the sequence as it is, keys and values included.
inline bool whole(const Sequence& sequence) {
  const std::vector<uint64_t> names = history(sequence.tokens());
  bool good = ready(sequence, names, sequence.length());
  for (int64_t p = 0; p < sequence.length(); ++p)
    each_kv(sequence.pool(), sequence.pages(), p, names[static_cast<size_t>(p) + 1],
            [&](std::byte is, std::byte wanted) { good = good && is == wanted; });
  return good;
}

// The text of the Error that f throws; empty when it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace braid::state_test
