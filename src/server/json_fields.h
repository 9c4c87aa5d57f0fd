// A request's JSON, read strictly: what nobody asked for is refused by name, never ignored.
//
// Each reader names a field and says what it may be; finish() refuses the fields that no reader
// named. A null counts as missing, as it does in OpenAI's API. Errors are ApiErrors of status 400
// with the path of the field ("messages[2].content") as `param`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class Exchange;

// The body of a request: bounded in depth, keys an object and values, no key twice. The order of
// keys stays, for templates show it to the model.
nlohmann::ordered_json parse_body(std::string_view body);

class Fields {
 public:
  using Json = nlohmann::ordered_json;

  // `path` is empty for the request itself. Throws when it is no object. The JSON stays the
  // caller's.
  explicit Fields(const Json& object, std::string path = {});

  // The value as it is; null when it is not there. It is for the caller to judge.
  const Json* find(std::string_view name);

  std::optional<std::string> text(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::optional<int64_t> integer(std::string_view name,
                                 int64_t min = std::numeric_limits<int64_t>::min(),
                                 int64_t max = std::numeric_limits<int64_t>::max());
  // The same under any of several names.
  std::optional<int64_t> one_integer(std::initializer_list<std::string_view> names, int64_t min,
                                     int64_t max);
  std::optional<double> number(std::string_view name, double min = -1e9, double max = 1e9);

  // Takes what has no effect on an answer.
  void pass_over(std::string_view name) { find(name); }
  // Takes the one value that is as if nothing were said.
  void only(std::string_view name, const Json& value, std::string_view why);

  std::string path_of(std::string_view name) const;
  // expected "a text", found what is there.
  [[noreturn]] void wrong(std::string_view name, const Json& value,
                          std::string_view expected) const;
  void finish() const;

 private:
  const Json& object_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

// "a number (12)", "an object": for messages.
std::string kind_of(const nlohmann::ordered_json& value);

// An integer, also one that was written as 5.0; nothing for all else.
std::optional<int64_t> as_integer(const nlohmann::ordered_json& value);

// Status 200. Bytes that are no UTF-8 are replaced: a name may come from anywhere.
void reply_json(Exchange& exchange, const nlohmann::ordered_json& json);

}  // namespace braid
