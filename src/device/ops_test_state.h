// For tests of operations with state: pools of recurrent slots and KV pages, filled as a sequence
// of a given id and length would have left them, with NaN wherever nobody may look.
#pragma once

#include "device/ops_test_support.h"
#include "device/ref/kv_row.h"

#include <gtest/gtest.h>

namespace braid::ops_test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class RecurrentMemory {
 public:
  RecurrentMemory(Stage& stage, const RecurrentLayout& layout) : stage_(stage), layout_(layout) {
    host_.assign(static_cast<size_t>(stage.slots()) * layout.slot_floats(), kNan);
    const RecurrentPool host{layout, host_.data()};
    for (const auto& [id, t] : stage.timelines()) fill(host.slot(t.slot), id, t.start);
    pool_ = {layout, stage.put(host_)};
  }
  const RecurrentPool& pool() const { return pool_; }

  // Every part of the slots, and nothing else of the pool may have changed.
  void collect(Outcome& outcome) {
    std::vector<float> now = stage_.get(pool_.base, host_.size());
    const RecurrentPool host{layout_, now.data()};
    std::vector<bool> used(static_cast<size_t>(stage_.slots()));
    for (const auto& [id, t] : stage_.timelines()) {
      used[static_cast<size_t>(t.slot)] = true;
      const RecurrentSlot s = host.slot(t.slot);
      const auto keep = [&, id = id](const char* part, const float* from, size_t n) {
        outcome.of[id][part].assign(from, from + n);
      };
      keep("state", s.state_base, layout_.state_floats());
      keep("key", s.key_base, layout_.key_floats());
      keep("update", s.update_base, layout_.update_floats());
      keep("decay", s.decay_base, layout_.decay_floats());
      keep("conv", s.conv_base, layout_.conv_floats());
    }
    for (size_t slot = 0; slot < used.size(); ++slot) {
      const size_t at = slot * layout_.slot_floats();
      if (used[slot]) continue;
      EXPECT_EQ(std::memcmp(&now[at], &host_[at], layout_.slot_floats() * sizeof(float)), 0)
          << "slot " << slot << " belongs to nobody";
    }
  }

 private:
  void fill(const RecurrentSlot& slot, int id, int64_t length) {
    std::fill_n(slot.state_base, layout_.slot_floats(), 0.0f);
    if (length == 0) return;
    const auto values = [id](int64_t position, uint64_t salt, int64_t n) {
      return normals(mixed(id, position, salt), n, 0.5f);
    };
    const int dk = layout_.key_dim, dv = layout_.value_dim;
    for (int h = 0; h < layout_.value_heads; ++h) {
      const auto s = values(h, 11, int64_t{dk} * dv);
      std::copy(s.begin(), s.end(), slot.state(h, length / kBlock));
    }
    for (int64_t p = std::max<int64_t>(0, length - kRing); p < length; ++p) {
      const auto conv = values(p, 12, layout_.conv_dim);
      std::copy(conv.begin(), conv.end(), slot.conv(p));
      for (int h = 0; h < layout_.key_heads; ++h) {
        auto key = values(p, 13 + static_cast<uint64_t>(h), dk);
        const float norm = std::sqrt(std::inner_product(key.begin(), key.end(), key.begin(), 0.0f));
        for (float& k : key) k /= norm;
        std::copy(key.begin(), key.end(), slot.key(h, p));
      }
      for (int h = 0; h < layout_.value_heads; ++h) {
        const auto u = values(p, 113 + static_cast<uint64_t>(h), dv);
        std::copy(u.begin(), u.end(), slot.update(h, p));
        const float g = -0.2f * std::fabs(values(p, 213 + static_cast<uint64_t>(h), 1)[0]);
        *slot.decay(h, p) = g + (p % kBlock == 0 ? 0 : *slot.decay(h, p - 1));
      }
    }
  }

  Stage& stage_;
  RecurrentLayout layout_;
  std::vector<float> host_;
  RecurrentPool pool_;
};

class KvMemory {
 public:
  KvMemory(Stage& stage, int kv_heads, int head_dim, DType key_type, DType value_type)
      : stage_(stage) {
    pool_ = {kv_heads, head_dim, key_type, value_type, nullptr, nullptr};
    const auto pages = static_cast<size_t>(stage.pages());
    const auto nans = [pages](size_t n) {  // in every float type
      return std::vector<std::byte>(pages * n, std::byte{0xff});
    };
    pool_.keys = stage.put(nans(pool_.page_bytes(key_type)));
    pool_.values = stage.put(nans(pool_.page_bytes(value_type)));
    keys_ = nans(pool_.page_bytes(key_type));
    values_ = nans(pool_.page_bytes(value_type));
    each_row(true, [&](int id, int64_t p, int32_t page, int head) {
      const auto k = wide(normals(mixed(id, p, 21 + static_cast<uint64_t>(head)), head_dim));
      const auto v = wide(normals(mixed(id, p, 121 + static_cast<uint64_t>(head)), head_dim));
      ref::write_kv_row(key_type, k.data(), head_dim, row(KvSide::kKeys, page, head, p));
      ref::write_kv_row(value_type, v.data(), head_dim, row(KvSide::kValues, page, head, p));
    });
    each_part([&](const KvSpan& span) {
      stage_.device().put_kv_rows(pool_, span, row(span.side, span.page, span.head, 0));
    });
  }
  const KvPool& pool() const { return pool_; }

  // The rows of each sequence, decoded; nothing else of the pool may have changed.
  void collect(Outcome& outcome) {
    std::vector<std::byte> old_keys = keys_, old_values = values_;
    each_part([&](const KvSpan& span) {
      stage_.device().get_kv_rows(pool_, span, row(span.side, span.page, span.head, 0));
    });
    const auto n = static_cast<size_t>(pool_.head_dim);
    std::vector<float> numbers(n);
    each_row(false, [&](int id, int64_t p, int32_t page, int head) {
      for (const KvSide side : {KvSide::kKeys, KvSide::kValues}) {
        const bool keys = side == KvSide::kKeys;
        const std::byte* now = row(side, page, head, p);
        decode_row(keys ? pool_.key_type : pool_.value_type, now, pool_.head_dim, numbers.data());
        Stage::append(outcome, id, keys ? "keys" : "values", numbers);
        std::byte* all = keys ? keys_.data() : values_.data();
        std::memcpy((keys ? old_keys : old_values).data() + (now - all), now, pool_.row(side));
      }
    });
    EXPECT_EQ(old_keys, keys_) << "a key was written where none belongs";
    EXPECT_EQ(old_values, values_) << "a value was written where none belongs";
  }

 private:
  static std::vector<double> wide(const std::vector<float>& v) { return {v.begin(), v.end()}; }
  // Of the host's copy, which has rows.
  std::byte* row(KvSide side, int64_t page, int head, int64_t position) {
    KvPool host = pool_;
    host.keys = keys_.data();
    host.values = values_.data();
    return host.part(side, page, head) +
           static_cast<size_t>(position % kPageTokens) * pool_.row(side);
  }
  // f(id, position, page, head) for the rows that a sequence has at the start or at the end.
  template <class F>
  void each_row(bool at_start, F&& f) {
    for (const auto& [id, t] : stage_.timelines())
      for (int32_t p = 0; p < (at_start ? t.start : t.end); ++p)
        for (int head = 0; head < pool_.kv_heads; ++head)
          f(id, p, t.pages[static_cast<size_t>(p / kPageTokens)], head);
  }
  template <class F>
  void each_part(F&& f) {
    for (const KvSide side : {KvSide::kKeys, KvSide::kValues})
      for (int32_t page = 0; page < stage_.pages(); ++page)
        for (int head = 0; head < pool_.kv_heads; ++head) f(KvSpan{side, page, head});
  }

  Stage& stage_;
  KvPool pool_;
  std::vector<std::byte> keys_, values_;
};

}  // namespace braid::ops_test
