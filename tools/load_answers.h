// Answers of a run as a file, and what another run answered otherwise.
#pragma once

#include "tools/files.h"
#include "tools/load_run.h"

#include <nlohmann/json.hpp>

#include <map>
#include <span>
#include <string>
#include <vector>

namespace braid {

// JSON, one answer a line, by number: number, request (a checksum), session, turn, text, reasoning,
// ids, finish, prompt_tokens, answer_tokens; what there is. Throws Error.
void write_answers(FileWriter& file, std::span<const LoadResult> results);

struct RecordedAnswers {
  std::string path;
  std::map<int64_t, nlohmann::ordered_json> answers;  // by number
};
// Throws Error for a file that is none of the above.
RecordedAnswers read_answers(const std::string& path);

struct AnswerComparison {
  int64_t equal = 0, different = 0;
  int64_t only_before = 0, only_now = 0;  // answered in one of the two runs alone
  std::vector<std::string> differences;   // one line each, the first ten
};
// Throws Error when the answers are those to other requests.
AnswerComparison compare_answers(const RecordedAnswers& recorded,
                                 std::span<const LoadResult> results);

}  // namespace braid
