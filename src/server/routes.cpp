#include "server/routes.h"

#include "base/check.h"

#include <algorithm>
#include <optional>

namespace braid {
namespace {

std::string_view first_segment(std::string_view path) { return path.substr(0, path.find('/')); }

std::string_view after(std::string_view path, size_t taken) {
  path.remove_prefix(taken);
  if (!path.empty()) path.remove_prefix(1);
  return path;
}

// What the wildcards stand for, when the path fits. Both begin with "/".
std::optional<std::vector<std::string>> fit(std::string_view pattern, std::string_view path) {
  if (pattern.empty() || path.empty() || path.front() != '/') return std::nullopt;
  pattern.remove_prefix(1);
  path.remove_prefix(1);
  std::vector<std::string> captured;
  for (;;) {
    if (pattern == "{*}" && !path.empty()) {
      captured.emplace_back(path);
      return captured;
    }
    const std::string_view wanted = first_segment(pattern), there = first_segment(path);
    const bool wild = wanted == "{}" && !there.empty();
    if (!wild && wanted != there) return std::nullopt;
    if (wild) captured.emplace_back(there);
    const bool last = wanted.size() == pattern.size();
    if (last != (there.size() == path.size())) return std::nullopt;
    if (last) return captured;
    pattern = after(pattern, wanted.size());
    path = after(path, there.size());
  }
}

}  // namespace

void Routes::add(Route route) {
  CHECK_THAT(route.path.starts_with('/') && route.handler, "{} {}", route.method, route.path);
  for (const Route& other : routes_)
    CHECK_THAT(other.method != route.method || other.path != route.path, "{} {} twice",
               route.method, route.path);
  routes_.push_back(std::move(route));
}

RouteMatch Routes::find(std::string_view method, std::string_view path) const {
  RouteMatch match;
  for (const Route& route : routes_) {
    auto captured = fit(route.path, path);
    if (!captured) continue;
    if (route.method == method || (method == "HEAD" && route.method == "GET"))
      return {.route = &route, .captured = std::move(*captured), .allowed = {}};
    if (std::ranges::find(match.allowed, route.method) == match.allowed.end())
      match.allowed.push_back(route.method);
    if (route.method == "GET") match.allowed.emplace_back("HEAD");
  }
  return match;
}

}  // namespace braid
