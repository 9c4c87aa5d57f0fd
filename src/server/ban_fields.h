// The fields that ban texts from an answer.
#pragma once

#include "sample/ban_filter.h"
#include "server/json_fields.h"

#include <memory>

namespace braid {

struct Bans {
  std::shared_ptr<const BannedTexts> texts;  // null: none
  BanOptions options;
};

// banned_strings, banned_regex, banned_regex_case_insensitive, banned_n, banned_bias,
// rewind_count_max, banbuffer_size.
Bans read_bans(Fields& fields);

}  // namespace braid
