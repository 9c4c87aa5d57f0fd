#include "server/api_error.h"

#include "base/check.h"
#include "engine/request.h"

#include <exception>

namespace braid {
namespace {

constexpr const char* kComeAgainSeconds = "2";

ErrorBody plain(int status, const char* message, const char* code = "") {
  return {.status = status, .message = message, .type = {}, .param = {}, .code = code};
}

}  // namespace

ErrorBody error_body_of(const std::exception& error) {
  if (const auto* api = dynamic_cast<const ApiError*>(&error)) return api->body();
  if (dynamic_cast<const QueueFull*>(&error)) return plain(503, error.what(), "queue_full");
  if (dynamic_cast<const ShuttingDown*>(&error)) return plain(503, error.what(), "shutting_down");
  if (dynamic_cast<const Error*>(&error)) return plain(400, error.what());
  return plain(500, "the server met an error of its own; its log says more", "internal_error");
}

void reply_error(Exchange& exchange, const ErrorBody& error) {
  HttpHeaders headers;
  if (error.status == 503) headers.emplace_back("Retry-After", kComeAgainSeconds);
  exchange.reply(error.status, "application/json", to_json(error), headers);
}

void answering(Exchange& exchange, const std::function<void()>& run) {
  try {
    run();
  } catch (const std::exception& error) {
    const ErrorBody body = error_body_of(error);
    reply_error(exchange, body);
    if (body.status == 500) throw;  // for the log
  }
}

}  // namespace braid
