// What a file is by its first bytes, for the error that someone gets who names the wrong one.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace braid {

bool looks_like_gguf(std::span<const std::byte> bytes);
bool looks_like_safetensors(std::span<const std::byte> bytes);

// What the content is and what to do about it: "an HTML page, perhaps ...: download the file
// again". Never empty; one line.
std::string describe_content(std::span<const std::byte> bytes);

}  // namespace braid
