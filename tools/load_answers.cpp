#include "tools/load_answers.h"

#include "base/check.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShown = 10;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json answer_json(const LoadResult& r) {
  Json json = {{"number", r.number}, {"request", r.request}, {"session", r.session},
               {"turn", r.turn},     {"text", r.text},       {"finish", r.finish}};
  if (!r.reasoning.empty()) json["reasoning"] = r.reasoning;
  if (!r.ids.empty()) json["ids"] = r.ids;
  if (r.usage.prompt) json["prompt_tokens"] = *r.usage.prompt;
  if (r.usage.answer) json["answer_tokens"] = *r.usage.answer;
  return json;
}

bool is_answer(const Json& json) {
  const auto is_text = [&](const char* name) { return json.value(name, Json("")).is_string(); };
  return json.is_object() && json.contains("text") && is_text("text") && is_text("reasoning") &&
         is_text("request") && json.value("number", Json()).is_number_integer();
}

// A few characters of each from where they part, as JSON, so that nothing is invisible.
std::string parting(const std::string& before, const std::string& now) {
  const size_t at = static_cast<size_t>(
      std::mismatch(before.begin(), before.end(), now.begin(), now.end()).first - before.begin());
  const auto piece = [at](const std::string& text) { return dump(Json(text.substr(at, 24))); };
  return fmt::format("byte {}: {}, before {}", at, piece(now), piece(before));
}

// Empty when they are the same. `now` went through JSON as `before` did.
std::string difference(const Json& before, const Json& now) {
  for (const char* name : {"reasoning", "text"}) {
    const std::string old_text = before.value(name, ""), new_text = now.value(name, "");
    if (old_text != new_text) return fmt::format("{}, {}", name, parting(old_text, new_text));
  }
  for (const char* name : {"ids", "finish", "prompt_tokens", "answer_tokens"})
    if (before.contains(name) && now.contains(name) && before[name] != now[name])
      return fmt::format("{}: {}, before {}", name, dump(now[name]).substr(0, 40),
                         dump(before[name]).substr(0, 40));
  return {};
}

}  // namespace

void write_answers(FileWriter& file, std::span<const LoadResult> results) {
  for (const LoadResult& r : results)
    if (r.answered()) file.write(dump(answer_json(r)) + "\n");
  file.close();
}

RecordedAnswers read_answers(const std::string& path) {
  RecordedAnswers recorded{path, {}};
  for_each_line(read_file(path), [&](std::string_view line, int64_t number) {
    Json json = Json::parse(line, nullptr, false);
    if (!is_answer(json)) fail("{}:{}: is no answer that braid load --answers wrote", path, number);
    recorded.answers.insert_or_assign(json["number"].get<int64_t>(), std::move(json));
  });
  if (recorded.answers.empty()) fail("{}: holds no answer", path);
  return recorded;
}

AnswerComparison compare_answers(const RecordedAnswers& recorded,
                                 std::span<const LoadResult> results) {
  AnswerComparison comparison;
  for (const LoadResult& r : results) {
    if (!r.answered()) continue;
    const auto before = recorded.answers.find(r.number);
    if (before == recorded.answers.end()) {
      ++comparison.only_now;
      continue;
    }
    if (before->second.value("request", r.request) != r.request)
      fail("{}: request {} was another one: compare runs of the same trace", recorded.path,
           r.number);
    const std::string how = difference(before->second, Json::parse(dump(answer_json(r))));
    ++(how.empty() ? comparison.equal : comparison.different);
    if (!how.empty() && comparison.differences.size() < kShown)
      comparison.differences.push_back(
          fmt::format("request {} (session {}, turn {}): {}", r.number, r.session, r.turn, how));
  }
  comparison.only_before =
      static_cast<int64_t>(recorded.answers.size()) - comparison.equal - comparison.different;
  return comparison;
}

}  // namespace braid
