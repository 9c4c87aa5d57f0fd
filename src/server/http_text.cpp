#include "server/http_text.h"

#include "text/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace braid {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool fit_for_text(std::string_view text) {
  return find_broken_utf8(text) == std::string_view::npos &&
         text.find('\0') == std::string_view::npos;
}

std::string read_query(std::string_view query, HttpHeaders& out) {
  while (!query.empty()) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), one.size() + 1));
    if (one.empty()) continue;
    const size_t equals = std::min(one.find('='), one.size());
    auto name = percent_decoded(one.substr(0, equals), true);
    auto value = percent_decoded(one.substr(std::min(one.size(), equals + 1)), true);
    if (!name || !value) return "The query has a % without two hex digits after it.";
    if (!fit_for_text(*name) || !fit_for_text(*value)) return "The query is not UTF-8.";
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

// Without a branch on what the bytes are; that lengths differ may show.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned differs = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    differs |= static_cast<unsigned>(static_cast<unsigned char>(a[i] ^ other));
  }
  return differs == 0;
}

int place_of(std::string_view shown, const std::vector<std::string>& keys) {
  int place = -1;
  for (size_t i = 0; i < keys.size(); ++i)
    if (equal_in_constant_time(shown, keys[i])) place = static_cast<int>(i);
  return place;
}

std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size()) return {};
  for (size_t i = 0; i < kScheme.size(); ++i)
    if ((authorization[i] | 0x20) != kScheme[i]) return {};
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex(text[i + 1]), low = hex(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string read_target(std::string_view target, HttpRequest& request) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.size(), target.find_first_of("/?")));
    if (!target.starts_with('/')) request.path = "/";
  }
  const std::string_view path = target.substr(0, target.find('?'));
  auto decoded = percent_decoded(path, false);
  if (!decoded) return "The path has a % without two hex digits after it.";
  if (!fit_for_text(*decoded)) return "The path is not UTF-8.";
  request.path += *decoded;
  return path.size() < target.size() ? read_query(target.substr(path.size() + 1), request.query)
                                     : std::string();
}

int key_shown(const HttpRequest& request, const std::vector<std::string>& keys) {
  const int by_bearer = place_of(bearer(request.header("authorization")), keys);
  const int by_name = place_of(request.header("x-api-key"), keys);
  return by_bearer >= 0 ? by_bearer : by_name;
}

std::string request_id(const HttpRequest& request) {
  constexpr std::string_view kMarks = "-_.:/";
  const std::string_view given = request.header("x-request-id");
  const bool plain = std::ranges::all_of(given, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
  if (!given.empty() && given.size() <= 128 && plain) return std::string(given);
  thread_local std::mt19937_64 random{std::random_device()()};
  return fmt::format("req-{:016x}", random());
}

}  // namespace braid
