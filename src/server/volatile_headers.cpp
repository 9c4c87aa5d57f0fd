#include "server/volatile_headers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

constexpr std::string_view kBilling = "x-anthropic-billing-header";
constexpr size_t kLongest = 512;  // bytes of the line: what is longer is no such header

// Nothing but "name=value;" again and again.
bool only_settings(std::string_view value) {
  while (!value.empty()) {
    if (value.front() == ' ') {
      value.remove_prefix(1);
      continue;
    }
    const size_t end = value.find(';'), sign = value.find('=');
    if (end == std::string_view::npos || sign == 0 || sign > end) return false;
    const auto odd = [](char c) { return c <= ' ' || c > '~'; };
    if (std::ranges::any_of(value.substr(0, end), odd)) return false;
    value.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace

std::string steady_header(nlohmann::ordered_json& messages) {
  if (!messages.is_array() || messages.empty()) return {};
  nlohmann::ordered_json& first = messages[0];
  if (first.value("role", "") != "system" || !first["content"].is_string()) return {};
  auto& text = first["content"].get_ref<std::string&>();
  if (!text.starts_with(kBilling) || text.find(": ") != kBilling.size()) return {};
  const size_t begin = kBilling.size() + 2, end = std::min(text.find('\n'), text.size());
  if (end > kLongest || begin >= end) return {};
  if (!only_settings(std::string_view(text).substr(begin, end - begin))) return {};
  text.replace(begin, end - begin, "steady=1;");
  return std::string(kBilling);
}

size_t find_date(std::string_view text) {
  constexpr std::string_view kForm = "2000-00-00";
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (size_t at = text.find('2'); at != std::string_view::npos; at = text.find('2', at + 1)) {
    if (at + kForm.size() > text.size()) break;
    if (at > 0 && digit(text[at - 1])) continue;
    bool same = text[at + 1] == '0';
    for (size_t i = 2; i < kForm.size() && same; ++i)
      same = kForm[i] == '-' ? text[at + i] == '-' : digit(text[at + i]);
    const size_t after = at + kForm.size();
    if (same && (after == text.size() || !digit(text[after]))) return at;
  }
  return std::string_view::npos;
}

}  // namespace braid
