#include "server/exchange.h"

#include <algorithm>

namespace braid {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view last_of(const HttpHeaders& list, std::string_view name) {
  for (auto entry = list.rbegin(); entry != list.rend(); ++entry) {
    if (same_name(entry->first, name)) return entry->second;
  }
  return {};
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const { return last_of(headers, name); }

std::string_view HttpRequest::parameter(std::string_view name) const {
  return last_of(query, name);
}

}  // namespace braid
