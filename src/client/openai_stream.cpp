#include "client/openai_stream.h"

#include "base/check.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// Null where there is none, so that look-ups can follow each other.
const Json& at(const Json& json, const char* name) {
  static const Json kNone;
  if (!json.is_object()) return kNone;
  const auto found = json.find(name);
  return found == json.end() ? kNone : *found;
}

std::string text_at(const Json& json, const char* name) {
  const Json& value = at(json, name);
  return value.is_string() ? value.get<std::string>() : "";
}

std::optional<int64_t> count_at(const Json& json, const char* name) {
  const Json& value = at(json, name);
  return value.is_number_integer() ? std::optional(value.get<int64_t>()) : std::nullopt;
}

ServerUsage usage_of(const Json& event) {
  const Json& usage = at(event, "usage");
  ServerUsage found{.prompt = count_at(usage, "prompt_tokens"),
                    .answer = count_at(usage, "completion_tokens"),
                    .cached = count_at(at(usage, "prompt_tokens_details"), "cached_tokens")};
  // llama-server says it in its own place, too.
  if (!found.cached) found.cached = count_at(at(event, "timings"), "cache_n");
  return found;
}

std::vector<int32_t> ids_in(const Json& list) {
  std::vector<int32_t> ids;
  if (list.is_array())
    for (const Json& id : list)
      if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
  return ids;
}

std::string shortened(std::string_view text) {
  constexpr size_t kMost = 200;
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.size() <= kMost ? std::string(line) : std::string(line.substr(0, kMost)) + "...";
}

ServerError error_of(const Json& json) {
  const Json& error = at(json, "error");
  if (error.is_string()) return {error.get<std::string>(), ""};
  const Json& holds = error.is_object() ? error : json;
  ServerError found{text_at(holds, "message"), text_at(holds, "code")};
  if (found.code.empty()) found.code = text_at(holds, "type");
  return found;
}

void take_choice(const Json& choice, AnswerChunk& chunk) {
  if (const auto index = count_at(choice, "index"); index && *index != 0) return;
  // A whole answer has a message where a stream has deltas.
  const Json& delta = at(choice, at(choice, "delta").is_object() ? "delta" : "message");
  chunk.text = delta.is_object() ? text_at(delta, "content") : text_at(choice, "text");
  chunk.reasoning = text_at(delta, "reasoning_content");
  if (chunk.reasoning.empty()) chunk.reasoning = text_at(delta, "reasoning");
  chunk.calls = at(delta, "tool_calls").is_array() && !at(delta, "tool_calls").empty();
  chunk.finish = text_at(choice, "finish_reason");
  chunk.ids = ids_in(at(choice, "token_ids"));
  if (chunk.ids.empty()) chunk.ids = ids_in(at(choice, "tokens"));
}

}  // namespace

void ServerUsage::take(const ServerUsage& later) {
  if (later.prompt) prompt = later.prompt;
  if (later.answer) answer = later.answer;
  if (later.cached) cached = later.cached;
}

AnswerChunk parse_chunk(std::string_view data) {
  const Json json = Json::parse(data, nullptr, false);
  if (!json.is_object()) fail("no event of a stream of answers: {}", shortened(data));
  AnswerChunk chunk;
  if (!at(json, "error").is_null()) {
    chunk.error = error_of(json).message;
    return chunk;
  }
  const Json& progress = at(json, "prompt_progress");
  if (progress.is_object())
    chunk.progress = {.done = count_at(progress, "processed").value_or(0),
                      .total = count_at(progress, "total").value_or(0)};
  const Json& choices = at(json, "choices");
  if (choices.is_null() && chunk.progress) return chunk;
  if (!choices.is_array()) fail("an event has no choices: {}", shortened(data));
  for (const Json& choice : choices) {
    if (!choice.is_object()) fail("an event has a choice that is none: {}", shortened(data));
    take_choice(choice, chunk);
  }
  chunk.usage = usage_of(json);
  return chunk;
}

ServerError parse_server_error(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  ServerError error = error_of(json);
  if (error.message.empty()) error.message = body.empty() ? "no reason given" : shortened(body);
  return error;
}

}  // namespace braid
