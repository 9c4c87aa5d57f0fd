#include "server/access_log.h"

#include "format/printable.h"
#include "server/error_body.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace braid {
namespace {

constexpr size_t kMost = 300;  // of a path; a head may have 32 KiB

std::string time_text(std::chrono::system_clock::time_point now) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
}

// Control characters of a path must not move a terminal's cursor, nor begin a line of their own.
std::string plain(const std::string& text) {
  const std::string quoted =
      nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

std::string log_line(const HttpAnswer& a, LogFormat format,
                     std::chrono::system_clock::time_point now) {
  const double ms = std::round(a.seconds * 10'000) / 10;
  if (format == LogFormat::kText)
    return fmt::format("{} {} {} {} {} {:.1f} ms {} bytes {}{}", time_text(now), a.client,
                       plain(bounded(a.method, kMost)), plain(bounded(a.path, kMost)), a.status, ms,
                       a.bytes, a.id, a.whole ? "" : " (cut off)");
  nlohmann::ordered_json line = {{"time", time_text(now)},
                                 {"id", a.id},
                                 {"client", a.client},
                                 {"method", bounded(a.method, kMost)},
                                 {"path", bounded(a.path, kMost)},
                                 {"route", a.route},
                                 {"status", a.status},
                                 {"ms", ms},
                                 {"bytes", a.bytes}};
  if (!a.whole) line["cut_off"] = true;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string problem_line(const HttpRequest& request, std::string_view what) {
  return fmt::format("{} {} {}: {}", request.id, printable(request.method), printable(request.path),
                     printable(what, 1000));
}

}  // namespace braid
