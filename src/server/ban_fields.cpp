#include "server/ban_fields.h"

#include "base/check.h"
#include "server/api_error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace braid {
namespace {

using Json = Fields::Json;

constexpr int64_t kMostRewinds = 10'000, kMostHeld = 1024, kUsuallyHeld = 128;

// Calls add(text) for a text or each of a list; what it throws is about that one.
template <class Add>
void for_each_text(Fields& fields, const char* name, const Add& add) {
  const Json* value = fields.find(name);
  if (!value) return;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_string()) fields.wrong(name, list[i], "a text or a list of texts");
    const std::string path = value->is_array() ? fmt::format("{}[{}]", name, i) : name;
    try {
      add(list[i].get_ref<const std::string&>());
    } catch (const Error& error) {
      refuse(path, "{}: {}", path, error.what());
    }
  }
}

}  // namespace

Bans read_bans(Fields& fields) {
  BannedTexts texts;
  for_each_text(fields, "banned_strings", [&](const std::string& t) { texts.add_string(t); });
  for_each_text(fields, "banned_regex",
                [&](const std::string& t) { texts.add_expression(t, false); });
  for_each_text(fields, "banned_regex_case_insensitive",
                [&](const std::string& t) { texts.add_expression(t, true); });
  Bans bans;
  BanOptions& o = bans.options;
  o.banned_n = fields.integer("banned_n", -1, kMostHeld).value_or(1);
  if (o.banned_n == 0)
    refuse("banned_n",
           "banned_n is 0; it says how many tokens of a text are banned: 1 or more, "
           "or -1 for all");
  // Below -100 it is meant as a ban.
  const double bias = fields.number("banned_bias", -1e9, 0).value_or(-999);
  if (bias == 0) refuse("banned_bias", "banned_bias is 0, which would ban nothing");
  o.bias = bias <= -100 ? -std::numeric_limits<float>::infinity() : static_cast<float>(bias);
  o.most_rewinds = fields.integer("rewind_count_max", -1, kMostRewinds).value_or(-1);
  if (o.most_rewinds == 0) o.most_rewinds = kMostRewinds;
  const int64_t held = fields.integer("banbuffer_size", 0, kMostHeld).value_or(0);
  o.most_held = held == 0 ? kUsuallyHeld : held;
  if (!texts.empty()) bans.texts = std::make_shared<const BannedTexts>(std::move(texts));
  return bans;
}

}  // namespace braid
