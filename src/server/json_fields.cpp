#include "server/json_fields.h"

#include "format/printable.h"
#include "server/api_error.h"
#include "server/exchange.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <unordered_set>

namespace braid {
namespace {

using Json = Fields::Json;

constexpr size_t kMostDepth = 64;
// Keys are looked up one by one, so an object of n of them takes n * n.
constexpr size_t kMostKeys = 1024;
// Each takes 16 bytes and more, whatever it took in the text.
constexpr size_t kMostValues = 2'000'000;

// Looks at a body before it is built: the library's own way of looking while it builds goes through
// all of a list at the end of each list within.
class Watch final : public nlohmann::json_sax<Json> {
 public:
  explicit Watch(size_t bytes) : bytes_(bytes) {}

  bool null() override { return one(); }
  bool boolean(bool) override { return one(); }
  bool number_integer(number_integer_t) override { return one(); }
  bool number_unsigned(number_unsigned_t) override { return one(); }
  bool number_float(number_float_t, const string_t&) override { return one(); }
  bool string(string_t&) override { return one(); }
  bool binary(binary_t&) override { return one(); }
  bool start_object(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    if (!open_.back().insert(key).second)
      refuse(printable(key), "the field \"{}\" is there twice", printable(key));
    if (open_.back().size() > kMostKeys)
      refuse("", "an object of the JSON has more than {} fields", kMostKeys);
    return true;
  }
  bool parse_error(size_t at, const std::string&, const Json::exception& error) override {
    if (dynamic_cast<const Json::parse_error*>(&error) == nullptr)
      refuse("", "the body holds a number that is out of range");
    refuse("", "the body is not valid JSON: byte {} of {}", at, bytes_);
  }

 private:
  bool one() {
    if (++values_ > kMostValues) refuse("", "the JSON holds more than {} values", kMostValues);
    return true;
  }
  bool open() {
    one();
    open_.emplace_back();
    if (open_.size() > kMostDepth)
      refuse("", "the JSON is nested more than {} levels deep", kMostDepth);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  size_t bytes_;
  std::vector<std::unordered_set<std::string>> open_;
  size_t values_ = 0;
};

}  // namespace

Json parse_body(std::string_view body) {
  if (body.empty()) refuse("", "the request has no body: send a JSON object");
  Watch watch(body.size());
  Json::sax_parse(body.begin(), body.end(), &watch);
  return Json::parse(body.begin(), body.end());
}

std::string kind_of(const Json& value) {
  const auto shown = [&](const char* kind) {
    return fmt::format("{} ({})", kind, printable(value.dump(-1, ' ', false), 40));
  };
  if (value.is_string()) return shown("a text");
  if (value.is_boolean()) return shown("a boolean");
  if (value.is_number_integer()) return shown("an integer");
  if (value.is_number()) return shown("a number");
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  return value.is_object() ? "an object" : "null";
}

std::optional<int64_t> as_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto n = value.get<uint64_t>();
    if (n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(n);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double x = value.get<double>();
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::trunc(x) != x || std::abs(x) > kExact) return std::nullopt;
  return static_cast<int64_t>(x);
}

void reply_json(Exchange& exchange, const Json& json) {
  exchange.reply(200, "application/json",
                 json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Fields::Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object_.is_object())
    refuse(path_, "{} should be an object, not {}", path_.empty() ? "the body" : path_,
           kind_of(object_));
}

std::string Fields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Fields::wrong(std::string_view name, const Json& value, std::string_view expected) const {
  refuse(path_of(name), "{} should be {}, not {}", path_of(name), expected, kind_of(value));
}

const Json* Fields::find(std::string_view name) {
  known_.emplace(name);
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Fields::text(std::string_view name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) wrong(name, *value, "a text");
  return value->get<std::string>();
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) wrong(name, *value, "true or false");
  return value->get<bool>();
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t min, int64_t max) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  const auto n = as_integer(*value);
  if (!n) wrong(name, *value, "an integer");
  if (*n < min || *n > max)
    refuse(path_of(name), "{} is {}; it must be from {} to {}", path_of(name), *n, min, max);
  return n;
}

std::optional<int64_t> Fields::one_integer(std::initializer_list<std::string_view> names,
                                           int64_t min, int64_t max) {
  std::optional<int64_t> found;
  for (const std::string_view name : names) {
    const auto value = integer(name, min, max);
    if (value && found && *value != *found)
      refuse(path_of(name), "{} is {}, but the same was given as {} under another name",
             path_of(name), *value, *found);
    if (value) found = value;
  }
  return found;
}

std::optional<double> Fields::number(std::string_view name, double min, double max) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number()) wrong(name, *value, "a number");
  const double x = value->get<double>();
  if (!(x >= min && x <= max))
    refuse(path_of(name), "{} is {}; it must be from {} to {}", path_of(name), x, min, max);
  return x;
}

void Fields::only(std::string_view name, const Json& value, std::string_view why) {
  const Json* given = find(name);
  if (given && *given != value)
    refuse(path_of(name), "{}: only {} is supported: {}", path_of(name), value.dump(), why);
}

void Fields::finish() const {
  for (const auto& [name, value] : object_.items()) {
    if (known_.contains(name)) continue;
    const std::string path = path_of(printable(name));
    refuse(path, "\"{}\" is not a field that Braid knows here: leave it out", path);
  }
}

}  // namespace braid
