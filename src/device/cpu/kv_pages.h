// Rows of the cache out of the CPU's pages, and into them (kernels/kv_layout.h).
#pragma once

#include "device/state_view.h"

namespace braid::cpu {

void get_rows(const KvPool& pool, const KvSpan& span, std::byte* rows);
void put_rows(const KvPool& pool, const KvSpan& span, const std::byte* rows);

}  // namespace braid::cpu
