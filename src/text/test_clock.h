// The clock that scripts/make_jinja_vectors.py gives to templates.
#pragma once

#include <ctime>

namespace braid {

// 2026-09-05 14:07:09, a Saturday.
inline std::tm fixed_time() {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 8;
  time.tm_mday = 5;
  time.tm_hour = 14;
  time.tm_min = 7;
  time.tm_sec = 9;
  time.tm_wday = 6;
  time.tm_yday = 247;
  return time;
}

}  // namespace braid
