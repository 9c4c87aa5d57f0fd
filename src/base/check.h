// The two ways in which something can go wrong.
//
// Error: the outside world is not as it should be (a file, an option, a request, memory at start).
// Its text is for the user: it names the thing, both values, and what to do about it.
// InternalError: Braid contradicts itself. CHECK throws it; a step that meets one fails the
// requests in it and never the process.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace braid {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Throws an Error with a formatted text: fail("{}: {} bytes, expected {}", path, size, expected).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line,
                                      std::string_view detail = {}) {
  throw InternalError(fmt::format("{}:{}: CHECK({}) failed{}{}", file, line, condition,
                                  detail.empty() ? "" : ": ", detail));
}

}  // namespace braid

// Invariants at the boundaries of operations; always on.
#define CHECK(condition)                                                     \
  do {                                                                       \
    if (!(condition)) ::braid::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

// As CHECK, with a formatted detail: CHECK_THAT(n == m, "{} rows for {} slots", n, m).
#define CHECK_THAT(condition, ...)                                                     \
  do {                                                                                 \
    if (!(condition))                                                                  \
      ::braid::check_failed(#condition, __FILE__, __LINE__, fmt::format(__VA_ARGS__)); \
  } while (false)
