// A request that cannot be served, thrown by whoever finds out and answered in one place.
#pragma once

#include "server/error_body.h"
#include "server/exchange.h"

#include <fmt/format.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace braid {

class ApiError : public std::runtime_error {
 public:
  explicit ApiError(ErrorBody body) : std::runtime_error(body.message), body_(std::move(body)) {}
  // Of the usual type for the status, and of no field.
  ApiError(int status, std::string message, std::string code)
      : ApiError(ErrorBody{status, std::move(message), {}, {}, std::move(code)}) {}
  const ErrorBody& body() const { return body_; }

 private:
  ErrorBody body_;
};

// Status 400 for the field `param`.
template <class... Args>
[[noreturn]] void refuse(std::string_view param, fmt::format_string<Args...> text, Args&&... args) {
  throw ApiError({.status = 400,
                  .message = fmt::format(text, std::forward<Args>(args)...),
                  .type = {},
                  .param = std::string(param),
                  .code = {}});
}

// What `error` means for whoever asked. Messages of Braid's own faults stay with the server.
ErrorBody error_body_of(const std::exception& error);

// The answer; 503 tells when to come again.
void reply_error(Exchange& exchange, const ErrorBody& error);

// Runs what answers the exchange, a handler; what it throws is the answer. What comes out in the
// end is a fault of the server, which has been answered and is left to whoever keeps the log.
void answering(Exchange& exchange, const std::function<void()>& run);

}  // namespace braid
