#include "device/cpu/kv_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace braid::cpu {
namespace {

std::vector<std::byte> random_bytes(size_t n) {
  std::mt19937 random(3);
  std::vector<std::byte> bytes(n);
  for (std::byte& b : bytes) b = std::byte(random());
  return bytes;
}

struct Pool {
  Pool(DType type, int dim) : view{2, dim, type, type, nullptr, nullptr} {
    keys.resize(3 * view.page_bytes(type));
    values = keys;
    view.keys = keys.data();
    view.values = values.data();
  }
  size_t part() const { return kPageTokens * view.row(KvSide::kKeys); }
  std::vector<std::byte> keys, values;
  KvPool view;
};

std::vector<Pool> pools() {
  std::vector<Pool> list;
  for (const DType type : {DType::F32, DType::F16, DType::BF16})
    for (const int dim : {2, 7, 32, 40, 64, 100}) list.emplace_back(type, dim);
  for (const int dim : {32, 96, 256}) list.emplace_back(DType::Q8_0, dim);
  return list;
}

TEST(KvPages, GiveBackTheRowsThatWerePut) {
  for (Pool& p : pools())
    for (const KvSide side : {KvSide::kKeys, KvSide::kValues}) {
      const std::vector<std::byte> rows = random_bytes(p.part());
      put_rows(p.view, {side, 1, 1}, rows.data());
      std::vector<std::byte> back(rows.size());
      get_rows(p.view, {side, 1, 1}, back.data());
      EXPECT_EQ(rows, back) << p.view.head_dim;
      // A place for each byte, and none outside of the part.
      const std::byte* part = p.view.part(side, 1, 1);
      std::vector<std::byte> there(part, part + rows.size()), wanted = rows;
      std::sort(there.begin(), there.end());
      std::sort(wanted.begin(), wanted.end());
      EXPECT_EQ(there, wanted) << p.view.head_dim;
      const std::vector<std::byte>& all = side == KvSide::kKeys ? p.keys : p.values;
      EXPECT_EQ(std::count(all.begin(), all.end(), std::byte{0}),
                static_cast<ptrdiff_t>(all.size() - rows.size()) +
                    std::count(rows.begin(), rows.end(), std::byte{0}));
    }
}

TEST(KvPages, ChangeTheWantedRowsAlone) {
  for (Pool& p : pools()) {
    for (const KvSide side : {KvSide::kKeys, KvSide::kValues}) {
      std::vector<std::byte> rows = random_bytes(p.part());
      put_rows(p.view, {side, 2, 0}, rows.data());
      const size_t row = p.view.row(side);
      const std::vector<std::byte> zeros(5 * row);
      put_rows(p.view, {side, 2, 0, 30, 5}, zeros.data());
      std::fill_n(rows.begin() + static_cast<ptrdiff_t>(30 * row), 5 * row, std::byte{0});
      std::vector<std::byte> back(rows.size());
      get_rows(p.view, {side, 2, 0}, back.data());
      EXPECT_EQ(rows, back) << p.view.head_dim;
      std::vector<std::byte> some(7 * row);
      get_rows(p.view, {side, 2, 0, 29, 7}, some.data());
      EXPECT_TRUE(
          std::equal(some.begin(), some.end(), rows.begin() + static_cast<ptrdiff_t>(29 * row)));
    }
  }
}

}  // namespace
}  // namespace braid::cpu
