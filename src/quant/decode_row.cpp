#include "quant/dtype.h"

#include "base/check.h"
#include "quant/floats.h"
#include "quant/iq1_m.h"
#include "quant/iq1_s.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/nvfp4.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

#include <cstring>

namespace braid {
namespace {

template <DType type, bool weights, int block, int block_bytes>
void decode_blocks(const std::byte* row, int64_t n, float* out) {
  CHECK_THAT(weights, "{} holds no weights", info(type).name);
  CHECK_THAT(n >= 0 && n % block == 0, "{} weights of {}, whose block is {}", n, info(type).name,
             block);
  if constexpr (weights) {
    static_assert(sizeof(Block<type>) == block_bytes, "the type list and the header disagree");
    for (int64_t done = 0; done < n; done += block) {
      Block<type> b;  // a copy, since the row may lie anywhere
      std::memcpy(&b, row, sizeof b);
      decode(b, out + done);
      row += sizeof b;
    }
  }
}

}  // namespace

void decode_row(DType type, const std::byte* row, int64_t n, float* out) {
  switch (type) {
#define BRAID_DECODE(name, id, block, bytes, weights) \
  case DType::name:                                   \
    return decode_blocks<DType::name, weights, block, bytes>(row, n, out);
    BRAID_DTYPES(BRAID_DECODE)
#undef BRAID_DECODE
  }
  CHECK_THAT(false, "{} is no DType", static_cast<int>(type));
}

}  // namespace braid
