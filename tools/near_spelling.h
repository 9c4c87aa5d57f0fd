// What somebody may have meant: the known names that are nearest to one that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace braid {

// Changes that make one of the other: a letter put in, left out, replaced, or two swapped.
size_t spelling_distance(std::string_view a, std::string_view b);

// ": did you mean --temp or --temperature?", or nothing when no name is near.
std::string did_you_mean(std::string_view given, std::span<const std::string> known);

}  // namespace braid
