#include "format/json_config.h"

#include "base/check.h"
#include "format/json.h"
#include "format/printable.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace braid {
namespace {

constexpr std::string_view kRemedy = "download the file that belongs to the model";

}  // namespace

using Json = nlohmann::json;

JsonConfig::JsonConfig(std::string path, Json json)
    : path_(std::move(path)), json_(std::make_unique<Json>(std::move(json))) {
  if (!json_->is_object()) {
    fail("{}: {}, expected a JSON object: {}", path_, json_text(*json_), kRemedy);
  }
}

JsonConfig::JsonConfig(std::string path) : JsonConfig(path, read_json(path)) {}

JsonConfig::~JsonConfig() = default;

const Json* JsonConfig::find(std::string_view key) const {
  const Json* value = json_.get();
  while (true) {
    const size_t dot = key.find('.');
    if (!value->is_object()) return nullptr;
    const auto found = value->find(key.substr(0, dot));
    if (found == value->end() || found->is_null()) return nullptr;
    value = &*found;
    if (dot == std::string_view::npos) return value;
    key.remove_prefix(dot + 1);
  }
}

const Json& JsonConfig::get(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) {
    fail("{}: key {} is missing: {}", path_, printable(key), kRemedy);
  }
  return *value;
}

void JsonConfig::wrong_kind(std::string_view key, std::string_view expected) const {
  fail("{}: key {} is {}, expected {}: {}", path_, printable(key), json_text(get(key)), expected,
       kRemedy);
}

const Json& JsonConfig::array(std::string_view key) const {
  const Json& value = get(key);
  if (!value.is_array()) wrong_kind(key, "an array");
  return value;
}

int64_t JsonConfig::to_integer(std::string_view key, const Json& value) const {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || std::in_range<int64_t>(value.get<uint64_t>()));
  if (!fits) wrong_kind(key, get(key).is_array() ? "integers" : "an integer");
  return value.get<int64_t>();
}

int64_t JsonConfig::integer(std::string_view key, int64_t min, int64_t max) const {
  const int64_t value = to_integer(key, get(key));
  if (value < min || value > max) {
    fail("{}: key {} is {}, expected {} to {}: {}", path_, printable(key), value, min, max,
         kRemedy);
  }
  return value;
}

double JsonConfig::number(std::string_view key) const {
  const Json& value = get(key);
  if (!value.is_number()) wrong_kind(key, "a number");
  return value.get<double>();
}

bool JsonConfig::boolean(std::string_view key) const {
  const Json& value = get(key);
  if (!value.is_boolean()) wrong_kind(key, "true or false");
  return value.get<bool>();
}

std::string JsonConfig::string(std::string_view key) const {
  const Json& value = get(key);
  if (!value.is_string()) wrong_kind(key, "a string");
  return value.get<std::string>();
}

std::vector<int64_t> JsonConfig::integers(std::string_view key) const {
  std::vector<int64_t> values;
  for (const Json& value : array(key)) values.push_back(to_integer(key, value));
  return values;
}

std::vector<std::string> JsonConfig::strings(std::string_view key) const {
  std::vector<std::string> values;
  for (const Json& value : array(key)) {
    if (!value.is_string()) wrong_kind(key, "strings");
    values.push_back(value.get<std::string>());
  }
  return values;
}

int64_t JsonConfig::integer_or(std::string_view key, int64_t otherwise, int64_t min,
                               int64_t max) const {
  return has(key) ? integer(key, min, max) : otherwise;
}
double JsonConfig::number_or(std::string_view key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}
bool JsonConfig::boolean_or(std::string_view key, bool otherwise) const {
  return has(key) ? boolean(key) : otherwise;
}
std::string JsonConfig::string_or(std::string_view key, std::string_view otherwise) const {
  return has(key) ? string(key) : std::string(otherwise);
}

}  // namespace braid
