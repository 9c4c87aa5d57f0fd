// A line for each answer, and for each request that failed by no fault of its client's. Never what
// was asked or answered: no query, no body.
#pragma once

#include "server/http_server.h"

#include <chrono>
#include <string>
#include <string_view>

namespace braid {

enum class LogFormat { kText, kJson };

std::string log_line(const HttpAnswer& answer, LogFormat format,
                     std::chrono::system_clock::time_point now);
std::string problem_line(const HttpRequest& request, std::string_view what);

}  // namespace braid
