// Answers of a run as a file, and what another run answered otherwise.
#pragma once

#include "tools/load_run.h"

#include <span>
#include <string>
#include <vector>

namespace braid {

// JSON, one answer a line, by number: number, request (a checksum), session, turn, text, reasoning,
// ids, finish, prompt_tokens, answer_tokens; what there is. Throws Error.
void write_answers(const std::string& path, std::span<const LoadResult> results);

struct AnswerComparison {
  int64_t equal = 0, different = 0;
  int64_t only_before = 0, only_now = 0;  // answered in one of the two runs alone
  std::vector<std::string> differences;   // one line each, the first ten
};
// Throws Error for a file that is none, or that has answers to other requests.
AnswerComparison compare_answers(const std::string& path, std::span<const LoadResult> results);

}  // namespace braid
