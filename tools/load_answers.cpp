#include "tools/load_answers.h"

#include "base/check.h"
#include "tools/files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>

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

std::map<int64_t, Json> read_answers(const std::string& path) {
  const std::string text = read_file(path);
  std::map<int64_t, Json> answers;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("number") || !json["number"].is_number_integer() ||
        !json.contains("text") || !json["text"].is_string())
      fail("{}:{}: is no answer that braid load --answers wrote", path, line_number);
    answers.insert_or_assign(json["number"].get<int64_t>(), std::move(json));
  }
  if (answers.empty()) fail("{}: holds no answer", path);
  return answers;
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

void write_answers(const std::string& path, std::span<const LoadResult> results) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
  if (!file) fail("{}: cannot be written: {}", path, std::strerror(errno));
  for (const LoadResult& r : results) {
    if (!r.answered()) continue;
    const std::string line = dump(answer_json(r)) + "\n";
    std::fwrite(line.data(), 1, line.size(), file.get());
  }
  if (std::fflush(file.get()) != 0 || std::ferror(file.get()) != 0)
    fail("{}: could not be written: {}", path, std::strerror(errno));
}

AnswerComparison compare_answers(const std::string& path, std::span<const LoadResult> results) {
  std::map<int64_t, Json> before = read_answers(path);
  AnswerComparison comparison;
  for (const LoadResult& r : results) {
    if (!r.answered()) continue;
    const auto found = before.find(r.number);
    if (found == before.end()) {
      ++comparison.only_now;
      continue;
    }
    if (found->second.value("request", r.request) != r.request)
      fail("{}: request {} was another one: compare runs of the same trace", path, r.number);
    const std::string how = difference(found->second, Json::parse(dump(answer_json(r))));
    before.erase(found);
    ++(how.empty() ? comparison.equal : comparison.different);
    if (!how.empty() && comparison.differences.size() < kShown)
      comparison.differences.push_back(
          fmt::format("request {} (session {}, turn {}): {}", r.number, r.session, r.turn, how));
  }
  comparison.only_before = static_cast<int64_t>(before.size());
  return comparison;
}

}  // namespace braid
