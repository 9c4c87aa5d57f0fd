// A line for each answer. Never what was asked or answered: no query, no body.
#pragma once

#include "server/http_server.h"

#include <chrono>
#include <string>

namespace braid {

enum class LogFormat { kText, kJson };

std::string log_line(const HttpAnswer& answer, LogFormat format,
                     std::chrono::system_clock::time_point now);

}  // namespace braid
