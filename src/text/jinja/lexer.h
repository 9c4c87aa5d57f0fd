// Cuts a template into text and the tokens of its tags.
//
// White space around tags goes by jinja2's rules with trim_blocks and lstrip_blocks on: a newline
// after a block tag or comment belongs to the tag, blanks from the beginning of the line to such a
// tag too, - takes all white space on its side and + none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace braid::jinja {

struct Token {
  enum class Type : uint8_t {
    kData,
    kVariableBegin,
    kVariableEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Type type;
  int line;
  std::string text;  // of a string its value, of a number its digits
};

// Throws braid::Error. The last token is kEnd.
std::vector<Token> tokenize(std::string_view title, std::string_view source);

}  // namespace braid::jinja
