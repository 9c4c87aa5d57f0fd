#include "server/incoming.h"

#include <algorithm>
#include <charconv>

namespace braid {
namespace {

bool same(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

std::optional<uint64_t> length_of(std::string_view text) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace

// Two readings of where a body ends are how requests are smuggled past whoever stands in front.
BodyFraming body_framing(const HttpHeaders& headers) {
  BodyFraming body;
  for (const auto& [name, value] : headers) {
    if (same(name, "content-length")) {
      const auto length = length_of(value);
      if (!length) body.wrong = "Content-Length is not a number.";
      if (body.length && length != body.length) body.wrong = "There are two Content-Lengths.";
      body.length = length;
    } else if (same(name, "transfer-encoding")) {
      if (body.chunked) body.wrong = "There are two Transfer-Encodings.";
      if (!same(value, "chunked")) body.wrong = "The only Transfer-Encoding served is chunked.";
      body.chunked = true;
    } else if (same(name, "expect")) {
      body.waits = same(value, "100-continue");
    }
  }
  if (body.chunked && body.length && body.wrong.empty())
    body.wrong = "Content-Length and Transfer-Encoding stand together.";
  return body;
}

HttpHeaders cors_headers(const HttpRequest& request, const std::vector<std::string>& origins) {
  const std::string_view origin = request.header("origin");
  if (origin.empty() || origins.empty()) return {};
  const bool all = std::ranges::find(origins, "*") != origins.end();
  if (!all && std::ranges::find(origins, origin) == origins.end()) return {};
  HttpHeaders headers = {
      {"Access-Control-Allow-Origin", all ? std::string("*") : std::string(origin)},
      {"Access-Control-Expose-Headers", "X-Request-Id, X-Should-Retry, Retry-After"}};
  if (!all) headers.emplace_back("Vary", "Origin");
  return headers;
}

std::string allowed_headers(const HttpRequest& request) {
  constexpr size_t kMost = 2000;
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~, ";
  const std::string_view asked = request.header("access-control-request-headers");
  const bool names = std::ranges::all_of(asked, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
  if (asked.empty() || asked.size() > kMost || !names)
    return "Authorization, Content-Type, X-Api-Key, X-Request-Id";
  return std::string(asked);
}

}  // namespace braid
