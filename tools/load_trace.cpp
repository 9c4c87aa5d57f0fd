#include "tools/load_trace.h"

#include "base/check.h"
#include "base/checksum.h"
#include "tools/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

AskedRequest parse_line(std::string_view line, int64_t number, const std::string& place) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) fail("{}: is no JSON object", place);
  AskedRequest request;
  request.number = number;
  request.session = -1 - number;  // one of its own
  const auto take = [&](const char* name, auto is_right, const char* kind) {
    const auto found = json.find(name);
    if (found == json.end()) return Json();
    Json value = *found;
    if (!is_right(value)) fail("{}: \"{}\" must be {}", place, name, kind);
    json.erase(found);
    return value;
  };
  const auto count = [](const Json& v) { return v.is_number_integer() && v.get<int64_t>() >= 0; };
  const auto seconds = [](const Json& v) { return v.is_number() && v.get<double>() >= 0; };
  if (const Json v = take("session", count, "a number from 0"); !v.is_null()) request.session = v;
  if (const Json v = take("turn", count, "a number from 0"); !v.is_null()) request.turn = v;
  if (const Json v = take("at", seconds, "seconds from 0"); !v.is_null()) request.at = v;
  if (json.contains("messages") == json.contains("prompt"))
    fail("{}: a request has either \"messages\" or a \"prompt\"", place);
  request.body = std::move(json);
  return request;
}

bool stands_for_answer(const Json& part) {
  return part.is_object() && part.size() == 1 && part.contains("answer") &&
         part["answer"].is_number_integer();
}

const Json& parts_of(const Json& body) {
  return body.at(body.contains("messages") ? "messages" : "prompt");
}

// Answers come from turns before.
void check_answers(const LoadSession& session, const std::function<std::string(int64_t)>& place) {
  std::set<int64_t> before;
  for (const AskedRequest& request : session) {
    if (const Json& parts = parts_of(request.body); parts.is_array())
      for (const Json& part : parts)
        if (stands_for_answer(part) && !before.contains(part["answer"].get<int64_t>()))
          fail("{}: {}: its session has no such turn before this one", place(request.number),
               part.dump());
    before.insert(request.turn);
  }
}

Json message_of(const std::string& text) { return {{"role", "assistant"}, {"content", text}}; }

}  // namespace

std::string AskedRequest::checksum() const {
  const std::string text = body.dump();
  return fmt::format("{:016x}", checksum64(std::as_bytes(std::span(text))));
}

std::vector<LoadSession> parse_trace(const std::string& path, std::string_view text) {
  std::vector<LoadSession> sessions;
  std::map<int64_t, size_t> places;
  std::vector<int64_t> lines;  // of the requests
  const auto place_of = [&](int64_t number) {
    return fmt::format("{}:{}", path, lines[static_cast<size_t>(number)]);
  };
  for_each_line(text, [&](std::string_view line, int64_t line_number) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    const auto number = static_cast<int64_t>(lines.size());
    lines.push_back(line_number);
    AskedRequest request = parse_line(line, number, place_of(number));
    const auto [place, added] = places.try_emplace(request.session, sessions.size());
    if (added) sessions.emplace_back();
    sessions[place->second].push_back(std::move(request));
  });
  if (sessions.empty()) fail("{}: holds no request", path);
  for (LoadSession& session : sessions)
    std::stable_sort(session.begin(), session.end(),
                     [](const AskedRequest& a, const AskedRequest& b) { return a.turn < b.turn; });
  for (const LoadSession& session : sessions) check_answers(session, place_of);
  std::stable_sort(sessions.begin(), sessions.end(),
                   [](const auto& a, const auto& b) { return a.front().at < b.front().at; });
  return sessions;
}

std::vector<LoadSession> read_trace(const std::string& path) {
  return parse_trace(path, read_file(path));
}

std::string trace_line(const AskedRequest& request) {
  Json line = {{"at", request.at}, {"session", request.session}, {"turn", request.turn}};
  line.update(request.body);
  return line.dump() + "\n";
}

SessionSource as_source(std::vector<LoadSession> sessions, std::optional<int64_t> requests) {
  if (requests)
    for (LoadSession& session : sessions)
      std::erase_if(session, [&](const AskedRequest& r) { return r.number >= *requests; });
  std::erase_if(sessions, [](const LoadSession& session) { return session.empty(); });
  auto left = std::make_shared<std::vector<LoadSession>>(std::move(sessions));
  return [left, next = size_t{0}]() mutable -> std::optional<LoadSession> {
    if (next == left->size()) return std::nullopt;
    return std::move((*left)[next++]);
  };
}

std::optional<Json> with_answers(const Json& body, const std::map<int64_t, GivenAnswer>& given) {
  const Json& parts = parts_of(body);
  if (!parts.is_array() || std::none_of(parts.begin(), parts.end(), stands_for_answer)) return body;
  const bool ids =
      std::any_of(parts.begin(), parts.end(), [](const Json& part) { return part.is_number(); });
  Json whole = Json::array();
  std::string text;
  for (const Json& part : parts) {
    if (!stands_for_answer(part)) {
      if (part.is_string())
        text += part.get<std::string>();
      else
        whole.push_back(part);
      continue;
    }
    const auto found = given.find(part["answer"].get<int64_t>());
    if (found == given.end()) return std::nullopt;
    const GivenAnswer& answer = found->second;
    if (body.contains("messages")) {
      whole.push_back(message_of(answer.text));
    } else if (ids) {
      if (answer.ids.empty() && !answer.text.empty())
        fail("the server tells no ids of its answers, which a later prompt needs");
      for (const int32_t id : answer.ids) whole.push_back(id);
    } else {
      text += answer.text;
    }
  }
  Json result = body;
  if (body.contains("messages"))
    result["messages"] = std::move(whole);
  else
    result["prompt"] = ids ? std::move(whole) : Json(text);
  return result;
}

}  // namespace braid
