#include "tools/number_lists.h"

#include "base/check.h"

#include <charconv>
#include <functional>

namespace braid {
namespace {

// Longer lists than anybody has time for are slips of the keyboard.
constexpr size_t kMostValues = 1000;

int64_t parse_number(std::string_view text, NumberRange range) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail("\"{}\" is no whole number", text);
  if (value < range.min || value > range.max)
    fail("{} is not between {} and {}", value, range.min, range.max);
  return value;
}

// "1-9", "1-9+2", "1-8*2"
void add_range(std::string_view text, size_t dash, NumberRange range, std::vector<int64_t>& out) {
  const size_t sign = text.find_first_of("+*", dash);
  const bool times = sign != std::string_view::npos && text[sign] == '*';
  const int64_t first = parse_number(text.substr(0, dash), range);
  const int64_t last =
      parse_number(text.substr(dash + 1, std::min(sign, text.size()) - dash - 1), range);
  const int64_t step = sign == std::string_view::npos
                           ? 1
                           : parse_number(text.substr(sign + 1), {times ? 2 : 1, range.max});
  if (first > last) fail("\"{}\": the first is larger than the last", text);
  if (times && first == 0) fail("\"{}\": 0 does not grow", text);
  for (int64_t value = first; value <= last; value = times ? value * step : value + step) {
    out.push_back(value);
    if (out.size() > kMostValues) fail("\"{}\": more than {} values", text, kMostValues);
  }
}

// Errors of the parser above as those of the command line.
template <class Parse>
CLI::Option* add_list(CLI::App& command, const std::string& names, const std::string& help,
                      const char* type, Parse&& parse) {
  return command
      .add_option_function<std::vector<std::string>>(
          names,
          [names, parse](const std::vector<std::string>& given) {
            for (const std::string& text : given) {
              try {
                parse(text);
              } catch (const Error& error) {
                throw CLI::ValidationError(names, error.what());
              }
            }
          },
          help)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

}  // namespace

std::vector<std::string> split_list(std::string_view text, char between) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(between, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<int64_t> parse_numbers(std::string_view text, NumberRange range) {
  std::vector<int64_t> out;
  for (const std::string& part : split_list(text)) {
    const size_t dash = part.find('-', 1);
    if (dash == std::string::npos)
      out.push_back(parse_number(part, range));
    else
      add_range(part, dash, range, out);
  }
  return out;
}

std::vector<NumberPair> parse_pairs(std::string_view text, NumberRange range) {
  std::vector<NumberPair> out;
  for (const std::string& part : split_list(text, ';')) {
    const std::vector<std::string> both = split_list(part);
    if (both.size() != 2) fail("\"{}\" is no pair of numbers such as 512,128", part);
    out.push_back({parse_number(both[0], range), parse_number(both[1], range)});
  }
  return out;
}

CLI::Option* add_numbers(CLI::App& command, const std::string& names, std::vector<int64_t>& values,
                         NumberRange range, const std::string& help) {
  return add_list(command, names, help, "N,...", [&values, range](const std::string& text) {
    for (const int64_t value : parse_numbers(text, range)) values.push_back(value);
  });
}

CLI::Option* add_pairs(CLI::App& command, const std::string& names, std::vector<NumberPair>& values,
                       NumberRange range, const std::string& help) {
  return add_list(command, names, help, "N,N", [&values, range](const std::string& text) {
    for (const NumberPair& value : parse_pairs(text, range)) values.push_back(value);
  });
}

CLI::Option* add_words(CLI::App& command, const std::string& names,
                       std::vector<std::string>& values, const std::string& type,
                       const std::string& help) {
  return add_list(command, names, help, "",
                  [&values](const std::string& text) {
                    for (const std::string& word : split_list(text)) {
                      if (word.empty()) fail("\"{}\" has an empty entry", text);
                      values.push_back(word);
                    }
                  })
      ->type_name(type);
}

}  // namespace braid
