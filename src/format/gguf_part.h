// One GGUF file, read and checked; a model may consist of several (format/gguf.h puts them
// together).
//
// Layout, little endian:
//   "GGUF"  u32 version  i64 tensors  i64 keys
//   keys     times  string key, i32 type, value
//   tensors  times  string name, u32 dims (1..4), i64 ne[dims], i32 type, u64 offset
//   padding to the alignment, then the tensors' bytes; offsets count from here
// string = u64 length, bytes. An array is i32 element type, u64 count, elements. ne[0] is the
// fastest dimension, so FileTensor::shape is ne reversed.
#pragma once

#include "format/metadata.h"
#include "format/tensor_file.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace braid {

inline constexpr uint32_t kGgufVersion = 3;
inline constexpr int64_t kGgufDefaultAlignment = 32;
inline constexpr int64_t kGgufMaxAlignment = 1 << 21;  // a huge page
inline constexpr size_t kGgufMaxTensorName = 63;       // ggml's 64 with the closing zero
inline constexpr size_t kGgufMaxKey = 65535;
inline constexpr size_t kGgufMaxDims = 4;

struct GgufPart {
  std::unique_ptr<Metadata> metadata;
  std::vector<FileTensor> tensors;  // views into the bytes given
};

// Throws Error when anything in the file is not as it should be.
GgufPart parse_gguf_part(const std::string& path, std::span<const std::byte> bytes);

}  // namespace braid
