// What /set changes: the sampling options under their names on the command line, and how long an
// answer may become.
#pragma once

#include "tools/sampler_options.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct ChatSettings {
  SamplerOverrides sampler{};       // what somebody asked for
  SamplerOptions model_defaults{};  // below it
  int64_t n_predict = -1;           // most tokens of an answer; below 0: as many as fit
  bool elsewhere = false;           // a server has the defaults, and nobody here knows them

  SamplerOptions resolved() const { return resolve(sampler, model_defaults); }

  // "top_p", "top-p" and "--top-p" are the same. Throws Error, changing nothing, for a name that is
  // not there and a value that is not right.
  void set(std::string_view name, const std::string& value);

  // One line for each setting with its value.
  std::string text() const;
  static std::vector<std::string> names();
};

}  // namespace braid
