// Finding, counting, replacing and splitting in time that grows with the lengths, not their
// product.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid::jinja {

// The first or last place at which `needle` stands, or npos. `needle` may be empty.
size_t find_text(std::string_view text, std::string_view needle, size_t from = 0);
size_t find_last_text(std::string_view text, std::string_view needle);

// The places without overlap, from the left or from the right, at most `max`; `needle` is not
// empty.
std::vector<size_t> find_all_text(std::string_view text, std::string_view needle, size_t max,
                                  bool from_right = false);

}  // namespace braid::jinja
