// Numbers as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace braid {

std::string bytes_text(size_t bytes);       // "1.50 GiB"
std::string count_text(int64_t count);      // "1,234,567"
std::string duration_text(double seconds);  // "3 min 20 s"

}  // namespace braid
