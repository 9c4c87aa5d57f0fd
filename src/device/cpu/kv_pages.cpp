#include "device/cpu/kv_pages.h"

#include "device/cpu/kernels/kv_layout.h"

#include <cstring>

namespace braid::cpu {
namespace {

static_assert(kPageTokens == kKvPage);

// f(byte in the part, byte in the row, bytes) for the pieces of a position's row.
template <class F>
void each_piece(const KvPool& pool, KvSide side, int64_t position, F&& f) {
  const bool keys = side == KvSide::kKeys;
  const DType type = keys ? pool.key_type : pool.value_type;
  const int64_t dim = pool.head_dim, row = static_cast<int64_t>(pool.row(side));
  if (type == DType::Q8_0) {
    for (int64_t b = 0; b < dim / kQ8Block; ++b) f(kv_at::scale(dim, position, b), b * kQ8Bytes, 2);
    for (int64_t d = 0; d < dim; ++d)
      f(keys ? kv_at::key_byte(dim, position, d) : kv_at::value_byte(position, d),
        d / kQ8Block * kQ8Bytes + 2 + d % kQ8Block, 1);
  } else if (type != DType::F32) {
    for (int64_t d = 0; d < dim; ++d)
      f(2 * (keys ? kv_at::key_word(dim, position, d) : kv_at::value_word(dim, position, d)), 2 * d,
        2);
  } else {
    f(position * row, 0, row);
  }
}

}  // namespace

void get_rows(const KvPool& pool, const KvSpan& span, std::byte* rows) {
  const std::byte* part = pool.part(span.side, span.page, span.head);
  for (int64_t t = span.first; t < span.first + span.count; ++t, rows += pool.row(span.side))
    each_piece(pool, span.side, t, [&](int64_t in_part, int64_t in_row, int64_t bytes) {
      std::memcpy(rows + in_row, part + in_part, static_cast<size_t>(bytes));
    });
}

void put_rows(const KvPool& pool, const KvSpan& span, const std::byte* rows) {
  std::byte* part = pool.part(span.side, span.page, span.head);
  for (int64_t t = span.first; t < span.first + span.count; ++t, rows += pool.row(span.side))
    each_piece(pool, span.side, t, [&](int64_t in_part, int64_t in_row, int64_t bytes) {
      std::memcpy(part + in_part, rows + in_row, static_cast<size_t>(bytes));
    });
}

}  // namespace braid::cpu
