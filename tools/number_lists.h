// Options that take lists, for commands that measure every combination: -p 512,1024 -p 2048.
//
// A list has commas between its values; an option may be repeated. A value may be a range: 1-4 is
// 1,2,3,4, 512-2048+512 takes steps of 512, 128-1024*2 doubles. Pairs have a comma inside and ';'
// between: -pg 512,128;1024,128.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct NumberRange {
  int64_t min = 0, max = int64_t{1} << 30;
};

// Both throw Error that names the value that is not right.
std::vector<int64_t> parse_numbers(std::string_view text, NumberRange range);
struct NumberPair {
  int64_t first = 0, second = 0;
  bool operator==(const NumberPair&) const = default;
};
std::vector<NumberPair> parse_pairs(std::string_view text, NumberRange range);

std::vector<std::string> split_list(std::string_view text, char between = ',');

// Options of such lists; what is given is appended.
CLI::Option* add_numbers(CLI::App& command, const std::string& names, std::vector<int64_t>& values,
                         NumberRange range, const std::string& help);
CLI::Option* add_pairs(CLI::App& command, const std::string& names, std::vector<NumberPair>& values,
                       NumberRange range, const std::string& help);
CLI::Option* add_words(CLI::App& command, const std::string& names,
                       std::vector<std::string>& values, const std::string& type,
                       const std::string& help);

}  // namespace braid
