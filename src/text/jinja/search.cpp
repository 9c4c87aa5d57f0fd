#include "text/jinja/search.h"

#include <algorithm>
#include <cstring>

namespace braid::jinja {

// memmem is linear; std::string's find takes the product of the lengths when it goes badly.
size_t find_text(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* found =
      ::memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

size_t find_last_text(std::string_view text, std::string_view needle) {
  if (needle.empty()) return text.size();
  const std::vector<size_t> found = find_all_text(text, needle, 1, true);
  return found.empty() ? std::string_view::npos : found.front();
}

std::vector<size_t> find_all_text(std::string_view text, std::string_view needle, size_t max,
                                  bool from_right) {
  std::string mirrored_text, mirrored_needle;
  if (from_right) {
    mirrored_text.assign(text.rbegin(), text.rend());
    mirrored_needle.assign(needle.rbegin(), needle.rend());
  }
  const std::string_view in = from_right ? mirrored_text : text;
  const std::string_view what = from_right ? mirrored_needle : needle;
  std::vector<size_t> found;
  for (size_t pos = 0; found.size() < max; pos += what.size()) {
    pos = find_text(in, what, pos);
    if (pos == std::string_view::npos) break;
    found.push_back(pos);
  }
  if (from_right) {
    for (size_t& pos : found) pos = text.size() - pos - needle.size();
    std::reverse(found.begin(), found.end());
  }
  return found;
}

}  // namespace braid::jinja
