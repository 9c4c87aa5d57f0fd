#include "server/error_body.h"

#include "server/exchange.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

constexpr size_t kMostMessage = 2000, kMostName = 300;

nlohmann::ordered_json or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(bounded(text, kMostName));
}

}  // namespace

std::string_view usual_error_type(int status) {
  if (status == 429) return "rate_limit_error";
  if (status == 503) return "unavailable_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

std::string bounded(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  return fmt::format("{}... ({} bytes)", text.substr(0, most), text.size());
}

std::string to_json(const ErrorBody& error) {
  const nlohmann::ordered_json body = {
      {"error",
       {{"message", bounded(error.message, kMostMessage)},
        {"type", error.type.empty() ? std::string(usual_error_type(error.status)) : error.type},
        {"param", or_null(error.param)},
        {"code", or_null(error.code)}}}};
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void reply(Exchange& exchange, const ErrorBody& error) {
  exchange.reply(error.status, "application/json", to_json(error));
}

}  // namespace braid
