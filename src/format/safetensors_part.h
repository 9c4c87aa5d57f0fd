// One .safetensors file, read and checked (format/safetensors.h puts the shards of a model
// together).
//
// Layout: u64 little-endian length of the header, the header in JSON, the tensors' bytes.
//   {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, "__metadata__": {...}}
// Offsets count from the end of the header; rows lie one after the other, slowest dimension first.
#pragma once

#include "format/tensor_file.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace braid {

inline constexpr size_t kSafetensorsMaxDims = 8;

// In the order of their bytes. Throws Error when anything in the file is not as it should be.
std::vector<FileTensor> parse_safetensors_part(const std::string& path,
                                               std::span<const std::byte> bytes);

}  // namespace braid
