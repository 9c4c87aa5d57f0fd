// An error as OpenAI's clients read it: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <string>
#include <string_view>

namespace braid {

struct ErrorBody {
  int status = 500;
  std::string message;
  std::string type;   // empty: what is usual for the status
  std::string param;  // empty: null
  std::string code;   // empty: null
};

std::string_view usual_error_type(int status);  // "invalid_request_error", "server_error", ...
// Bytes that are not UTF-8 are replaced, and what is longer than an error should be is cut: much of
// it may be what the client sent.
std::string to_json(const ErrorBody& error);

// Cut after so many bytes, and how many there were.
std::string bounded(std::string_view text, size_t most);

class Exchange;
void reply(Exchange& exchange, const ErrorBody& error);

}  // namespace braid
