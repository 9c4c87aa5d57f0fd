// The escapes in a quoted text of a template, as Python has them.
#pragma once

#include <string>
#include <string_view>

namespace braid::jinja {

// Throws Failure on an escape that is cut short or makes no character.
std::string unescape(std::string_view quoted);

}  // namespace braid::jinja
