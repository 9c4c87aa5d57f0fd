// What `braid load` asks: requests in sessions, whose turns follow each other.
//
// A trace is JSON, one request a line. "at" (seconds), "session" and "turn" say when it is its
// turn; all else is the body as the server gets it, "messages" for chat completions, "prompt" for
// completions. {"answer": 3}, as a message, as a part of a list of texts or among the ids of a
// prompt, stands for the answer to the session's turn 3, which must come before it.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct AskedRequest {
  int64_t number = 0;  // from 0, the line of a trace: what answers are compared by
  int64_t session = 0, turn = 0;
  double at = 0;
  nlohmann::ordered_json body;

  bool chat() const { return body.contains("messages"); }
  // The same for the same request, whatever server it goes to.
  std::string checksum() const;
};

using LoadSession = std::vector<AskedRequest>;
// The next session, in the order in which they begin; none when there are no more.
using SessionSource = std::function<std::optional<LoadSession>()>;

// Throws Error with path and line.
std::vector<LoadSession> read_trace(const std::string& path);
std::vector<LoadSession> parse_trace(const std::string& path, std::string_view text);
std::string trace_line(const AskedRequest& request);

// One after the other; none of number `requests` or above, when that is set.
SessionSource as_source(std::vector<LoadSession> sessions,
                        std::optional<int64_t> requests = std::nullopt);

struct GivenAnswer {
  std::string text;
  std::vector<int32_t> ids;
};
// The body with answers where they are asked for; none when one of them was not given. Throws Error
// where ids are needed and the server told none.
std::optional<nlohmann::ordered_json> with_answers(const nlohmann::ordered_json& body,
                                                   const std::map<int64_t, GivenAnswer>& given);

}  // namespace braid
