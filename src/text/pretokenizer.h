// Cutting text into the pieces inside which byte-pair merges may happen.
//
// A cut is a regular expression that came with the model; a model file names it and Braid knows the
// expression (pretokenizer_names). PCRE2 runs it, compiled to machine code. The pieces lie one
// after another and cover the text: joined they are the text again.
//
// Broken UTF-8 is no error. Each byte that belongs to no character is cut as if it were the
// replacement character U+FFFD (neither letter nor number nor space), and stays itself in the
// piece: the cuts are those of the text decoded with replacement. Valid text is cut as the
// published tokenizers do, up to characters that Unicode took in after version 14, PCRE2 10.42's.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class Pretokenizer {
 public:
  // By the name in a model file ("qwen2"). Throws Error on a name it does not know.
  static Pretokenizer named(std::string_view name);

  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;
  ~Pretokenizer();

  // Appends the pieces of `text`, none empty; they point into it. Any number of threads may call.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  struct Pattern;
  explicit Pretokenizer(std::unique_ptr<const Pattern> pattern);

  std::unique_ptr<const Pattern> pattern_;
};

// The names Pretokenizer::named takes.
std::span<const std::string_view> pretokenizer_names();

// The name of a regular expression as tokenizer.json files have it, nothing for an unknown one.
std::optional<std::string_view> pretokenizer_of(std::string_view expression);

}  // namespace braid
