#include "tools/load_trace.h"

#include "base/check.h"
#include "base/checksum.h"
#include "tools/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
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

Json message_of(const std::string& text) { return {{"role", "assistant"}, {"content", text}}; }

}  // namespace

std::string AskedRequest::checksum() const {
  const std::string text = body.dump();
  return fmt::format("{:016x}", checksum64(std::as_bytes(std::span(text))));
}

std::vector<LoadSession> parse_trace(const std::string& path, std::string_view text) {
  std::vector<LoadSession> sessions;
  std::map<int64_t, size_t> places;
  int64_t number = 0, line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    AskedRequest request = parse_line(line, number++, fmt::format("{}:{}", path, line_number));
    const auto [place, added] = places.try_emplace(request.session, sessions.size());
    if (added) sessions.emplace_back();
    sessions[place->second].push_back(std::move(request));
  }
  if (sessions.empty()) fail("{}: holds no request", path);
  for (LoadSession& session : sessions)
    std::stable_sort(session.begin(), session.end(),
                     [](const AskedRequest& a, const AskedRequest& b) { return a.turn < b.turn; });
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

Json with_answers(const Json& body, const std::function<const GivenAnswer*(int64_t)>& given) {
  const char* name = body.contains("messages") ? "messages" : "prompt";
  const Json& parts = body.at(name);
  if (!parts.is_array() || std::none_of(parts.begin(), parts.end(), stands_for_answer)) return body;
  const auto answer = [&](const Json& part) {
    const GivenAnswer* found = given(part["answer"].get<int64_t>());
    if (found == nullptr) fail("the answer to turn {} is not there", part["answer"].dump());
    return found;
  };
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
    const GivenAnswer* found = answer(part);
    if (body.contains("messages")) {
      whole.push_back(message_of(found->text));
    } else if (ids) {
      if (found->ids.empty() && !found->text.empty())
        fail("the server tells no ids of its answers, which a later prompt needs");
      for (const int32_t id : found->ids) whole.push_back(id);
    } else {
      text += found->text;
    }
  }
  Json result = body;
  result[name] = body.contains("messages") || ids ? std::move(whole) : Json(text);
  return result;
}

}  // namespace braid
