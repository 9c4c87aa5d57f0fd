#include "server/web_pages.h"

#include "format/printable.h"
#include "server/incoming.h"
#include "server/listen_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

namespace braid {
namespace {

constexpr std::string_view kPrivateEnds[] = {".localhost", ".local", ".internal", ".lan",
                                             ".home.arpa"};

std::string in_small_letters(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// "A.example.:80" -> "a.example", "[::1]:80" -> "::1".
std::string name_of(std::string_view host) {
  if (host.starts_with('['))
    host = host.substr(1, host.find(']') - 1);
  else
    host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return in_small_letters(host);
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

bool is_known_host(std::string_view host, const HttpServerOptions& options) {
  if (is_private_host(host)) return true;
  const std::string name = name_of(host);
  return name == in_small_letters(options.host) ||
         std::ranges::any_of(options.hosts, [&](const std::string& allowed) {
           return allowed == "*" || name_of(allowed) == name;
         });
}

// A page that came from here, as the browser sees it.
bool is_of_host(std::string_view origin, std::string_view host) {
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos &&
         in_small_letters(origin.substr(scheme + 3)) == in_small_letters(host);
}

ErrorBody forbidden(std::string message, const char* code) {
  return {.status = 403, .message = std::move(message), .type = {}, .param = {}, .code = code};
}

}  // namespace

bool is_private_host(std::string_view host) {
  const std::string name = name_of(host);
  return name.find('.') == std::string::npos || is_address(name) ||
         std::ranges::any_of(kPrivateEnds,
                             [&](std::string_view end) { return name.ends_with(end); });
}

std::optional<ErrorBody> refused_page(const HttpRequest& request,
                                      const HttpServerOptions& options) {
  if (!options.keys.empty()) return std::nullopt;
  const std::string_view host = request.header("host"), origin = request.header("origin");
  if (!is_socket_path(options.host) && !is_known_host(host, options)) {
    const std::string name = printable(name_of(host));
    return forbidden(
        fmt::format("This server does not know itself as {0}, and asks for no key: a web page may "
                    "have made the name up. Start it with --allowed-host {0}, or with API keys.",
                    name),
        "host_not_allowed");
  }
  if (origin.empty() || is_of_host(origin, host) || !cors_headers(request, options.origins).empty())
    return std::nullopt;
  return forbidden(
      fmt::format("A web page of {0} asks, and this server asks for no key. Start it with "
                  "--cors-origin {0} to let that page ask, or with API keys.",
                  printable(origin)),
      "origin_not_allowed");
}

}  // namespace braid
