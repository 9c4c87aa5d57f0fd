#include "state/pool.h"

#include "state/state_test_support.h"

#include <algorithm>
#include <random>

namespace braid {
namespace {

using namespace state_test;

constexpr StateOptions kOptions{.slots = 3, .pages = 4};

template <class T>
std::vector<std::byte> contents(const T* from, size_t bytes) {
  const auto* p = reinterpret_cast<const std::byte*>(from);
  return {p, p + bytes};
}

std::vector<std::byte> slot_contents(const StatePool& pool, int32_t slot) {
  std::vector<std::byte> all;
  for (const RecurrentPool& p : pool.recurrent()) {
    if (!p.base) continue;
    const auto part = contents(p.slot(slot).state_base, p.layout.slot_floats() * sizeof(float));
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<std::byte> page_contents(const StatePool& pool, int32_t page) {
  std::vector<std::byte> all;
  for (const KvPool& p : pool.kv()) {
    if (!p.keys) continue;
    for (const auto& part : {contents(p.keys_of(page, 0), p.page_bytes(p.key_type)),
                             contents(p.values_of(page, 0), p.page_bytes(p.value_type))})
      all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

bool all_zero(const std::vector<std::byte>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

void scribble(const StatePool& pool, int32_t slot, int32_t page) {
  std::mt19937 random(7);
  const auto fill = [&](void* to, size_t n) {
    for (size_t i = 0; i < n; ++i) static_cast<std::byte*>(to)[i] = std::byte(random());
  };
  for (const RecurrentPool& p : pool.recurrent())
    if (p.base && slot) fill(p.slot(slot).state_base, p.layout.slot_floats() * sizeof(float));
  for (const KvPool& p : pool.kv()) {
    if (!p.keys || !page) continue;
    fill(p.keys_of(page, 0), p.page_bytes(p.key_type));
    fill(p.values_of(page, 0), p.page_bytes(p.value_type));
  }
}

TEST(StatePool, PredictsWhatItAllocates) {
  for (const DType type : {DType::F16, DType::F32}) {
    HostDevice device;
    StateOptions options = kOptions;
    options.key_type = type;
    const size_t predicted = StatePool::bytes(small_spec(), options);
    {
      StatePool pool(device, small_spec(), options);
      EXPECT_EQ(device.allocated(), predicted);
    }
    EXPECT_EQ(device.allocated(), 0u);
  }
  // 2 heads of 4 and 1 of 2, keys f32, values f16.
  EXPECT_EQ(StatePool::page_bytes(small_spec(), DType::F32, DType::F16), 64u * 10 * 6);
  EXPECT_EQ(StatePool::slot_bytes({{RecurrentLayout{1, 2, 3, 2, 5}}}),
            4u * (2 * 2 * 3 * 2 + 32 * (3 + 4 + 2 + 5)));
}

TEST(StatePool, ViewsFollowTheLayersAndNeverOverlap) {
  HostDevice device;
  StatePool pool(device, small_spec(), kOptions);
  ASSERT_EQ(pool.kv().size(), 5u);
  ASSERT_EQ(pool.recurrent().size(), 5u);
  for (size_t i : {size_t{0}, size_t{2}, size_t{3}}) EXPECT_EQ(pool.kv()[i].keys, nullptr);
  for (size_t i : {size_t{1}, size_t{2}, size_t{4}}) EXPECT_EQ(pool.recurrent()[i].base, nullptr);
  EXPECT_EQ(pool.kv()[1].kv_heads, 2);
  EXPECT_EQ(pool.kv()[4].head_dim, 2);
  EXPECT_EQ(pool.recurrent()[3].layout.key_heads, 2);

  std::vector<int32_t> slots, pages;
  for (int i = 0; i < 3; ++i) slots.push_back(pool.take_slot());
  for (int i = 0; i < 4; ++i) pages.push_back(pool.take_page());
  for (int32_t slot : slots) {
    scribble(pool, slot, 0);
    for (int32_t other : slots) EXPECT_EQ(all_zero(slot_contents(pool, other)), other != slot);
    pool.zero_slot(slot);
  }
  for (int32_t page : pages) {
    scribble(pool, 0, page);
    for (int32_t other : pages) {
      if (other > page) {
        EXPECT_TRUE(all_zero(page_contents(pool, other)));
      }
    }
  }
}

TEST(StatePool, NeverHandsOutTrashAndTellsWhatToRaise) {
  HostDevice device;
  StatePool pool(device, small_spec(), kOptions);
  std::vector<int32_t> slots, pages;
  for (int i = 0; i < 3; ++i) slots.push_back(pool.take_slot());
  for (int i = 0; i < 4; ++i) pages.push_back(pool.take_page());
  EXPECT_EQ(slots, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(pages, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_NE(error_of([&] { pool.take_slot(); }).find("all 3 sequence slots"), std::string::npos);
  EXPECT_NE(error_of([&] { pool.take_slot(); }).find("parallel sequences"), std::string::npos);
  EXPECT_NE(error_of([&] { pool.take_page(); }).find("all 4 pages"), std::string::npos);
  EXPECT_NE(error_of([&] { pool.take_page(); }).find("-c"), std::string::npos);
  EXPECT_THROW(pool.release_slot(0), InternalError);
  EXPECT_THROW(pool.release_page(0), InternalError);
  EXPECT_THROW(pool.add_ref(5), InternalError);
}

TEST(StatePool, TakenSlotsAndPagesAreZeroedHoweverTheyWereLeft) {
  HostDevice device;
  StatePool pool(device, small_spec(), kOptions);
  const int32_t slot = pool.take_slot(), page = pool.take_page();
  EXPECT_TRUE(all_zero(slot_contents(pool, slot)));
  scribble(pool, slot, page);
  EXPECT_FALSE(all_zero(slot_contents(pool, slot)));

  const int32_t slot_copy = pool.clone_slot(slot), page_copy = pool.clone_page(page);
  EXPECT_EQ(slot_contents(pool, slot_copy), slot_contents(pool, slot));
  EXPECT_EQ(page_contents(pool, page_copy), page_contents(pool, page));

  pool.release_slot(slot);
  pool.release_page(page);
  EXPECT_EQ(pool.take_slot(), slot);
  EXPECT_EQ(pool.take_page(), page);
  EXPECT_TRUE(all_zero(slot_contents(pool, slot)));
  EXPECT_TRUE(all_zero(page_contents(pool, page)));
  EXPECT_FALSE(all_zero(page_contents(pool, page_copy)));
}

TEST(StatePool, CountsReferences) {
  HostDevice device;
  StatePool pool(device, small_spec(), kOptions);
  const int32_t page = pool.take_page();
  pool.add_ref(page);
  pool.add_ref(page);
  EXPECT_EQ(pool.references(page), 3);
  for (int left = 2; left >= 0; --left) {
    pool.release_page(page);
    EXPECT_EQ(pool.references(page), left);
    EXPECT_EQ(pool.free_pages(), left ? 3 : 4);
  }
  EXPECT_THROW(pool.release_page(page), InternalError);
  const int32_t slot = pool.take_slot();
  pool.release_slot(slot);
  EXPECT_THROW(pool.release_slot(slot), InternalError);
}

TEST(StatePool, RefusesShapesThatItCannotHold) {
  StateOptions options = kOptions;
  options.key_type = DType::Q8_0;
  EXPECT_NE(error_of([&] { StatePool::bytes(small_spec(), options); }).find("blocks of 32"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { StatePool::bytes({{KvSpec{1, 64}}}, options); }), "");
  options.key_type = DType::I32;
  EXPECT_NE(error_of([&] { StatePool::bytes(small_spec(), options); }).find("I32"),
            std::string::npos);
  options = kOptions;
  for (const LayerState& bad :
       {LayerState(KvSpec{0, 4}), LayerState(KvSpec{1, -4}), LayerState(KvSpec{1, 1 << 30}),
        LayerState(RecurrentLayout{1, 1, 1, 0, 1}),
        LayerState(RecurrentLayout{1, 1 << 20, 1 << 20, 1 << 20, 1})})
    EXPECT_NE(error_of([&] { StatePool::bytes({{bad}}, options); }), "") << describe(bad);
  options.slots = options.pages = INT32_MAX;
  EXPECT_NE(error_of([&] {
              StatePool::bytes({{KvSpec{8, 256}}}, options);
            }).find("-c"),
            std::string::npos);

  HostDevice device;
  device.limit = 10000;
  EXPECT_NE(error_of([&] { StatePool(device, small_spec(), kOptions); }).find("not enough memory"),
            std::string::npos);
  EXPECT_EQ(device.allocated(), 0u);
}

}  // namespace
}  // namespace braid
