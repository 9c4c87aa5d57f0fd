// The types that a tensor can have: the only place where they are listed.
//
// A quantised type stores a row as blocks of `block` weights in `block_bytes` bytes. Everything
// that works on "all types" (decoders, tests, `inspect`) iterates this list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace braid {

//  X(enumerator, id in GGUF files, weights per block, bytes per block, decodes to weights)
#define BRAID_DTYPES(X)         \
  X(F32, 0, 1, 4, true)         \
  X(F16, 1, 1, 2, true)         \
  X(Q4_0, 2, 32, 18, true)      \
  X(Q4_1, 3, 32, 20, true)      \
  X(Q5_0, 6, 32, 22, true)      \
  X(Q5_1, 7, 32, 24, true)      \
  X(Q8_0, 8, 32, 34, true)      \
  X(Q2_K, 10, 256, 84, true)    \
  X(Q3_K, 11, 256, 110, true)   \
  X(Q4_K, 12, 256, 144, true)   \
  X(Q5_K, 13, 256, 176, true)   \
  X(Q6_K, 14, 256, 210, true)   \
  X(IQ2_XXS, 16, 256, 66, true) \
  X(IQ2_XS, 17, 256, 74, true)  \
  X(IQ3_XXS, 18, 256, 98, true) \
  X(IQ1_S, 19, 256, 50, true)   \
  X(IQ4_NL, 20, 32, 18, true)   \
  X(IQ3_S, 21, 256, 110, true)  \
  X(IQ2_S, 22, 256, 82, true)   \
  X(IQ4_XS, 23, 256, 136, true) \
  X(I8, 24, 1, 1, false)        \
  X(I16, 25, 1, 2, false)       \
  X(I32, 26, 1, 4, false)       \
  X(I64, 27, 1, 8, false)       \
  X(F64, 28, 1, 8, false)       \
  X(IQ1_M, 29, 256, 56, true)   \
  X(BF16, 30, 1, 2, true)       \
  X(MXFP4, 39, 32, 17, true)    \
  X(NVFP4, 40, 64, 36, true)

enum class DType : uint8_t {
#define BRAID_ENUMERATOR(name, id, block, bytes, weights) name,
  BRAID_DTYPES(BRAID_ENUMERATOR)
#undef BRAID_ENUMERATOR
};

struct DTypeInfo {
  DType type;
  std::string_view name;  // as the enumerator: "Q4_K"
  int gguf_id;
  int block;        // weights per block
  int block_bytes;  // bytes per block
  bool weights;     // decode_row turns it into f32; false for plain integers and F64
};

std::span<const DTypeInfo> all_dtypes();
const DTypeInfo& info(DType type);

// The type that a GGUF file calls `id`; nothing for an id that is unknown or refused.
std::optional<DType> dtype_from_gguf(int64_t id);
// Name and reason for an id that dtype_from_gguf does not take: "IQ4_K (139), a type of
// ik_llama.cpp that Braid does not read yet". Never empty.
std::string describe_refused_gguf_type(int64_t id);

// Bytes of a row of n weights; n must be a multiple of the block.
inline size_t row_bytes(DType type, int64_t n) {
  const DTypeInfo& t = info(type);
  return static_cast<size_t>(n / t.block) * static_cast<size_t>(t.block_bytes);
}

// Decodes a row of n weights (a multiple of the block) to f32. Works on any address, aligned or
// not.
void decode_row(DType type, const std::byte* row, int64_t n, float* out);

}  // namespace braid
