// What servers of OpenAI's kind answer: events of streams, usage, errors. Of several choices the
// first counts.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// Tokens as the server counts them; of several reports the last counts.
struct ServerUsage {
  std::optional<int64_t> prompt, answer, cached;
  void take(const ServerUsage& later);
};

// An event of a stream of chat completions or completions.
struct AnswerChunk {
  std::string text, reasoning;
  std::vector<int32_t> ids;  // where the server sends them
  std::string finish;        // "stop", "length"; empty: it goes on
  ServerUsage usage;
  std::optional<std::string> error;  // the stream failed

  // How much of a prompt has run, from servers that tell.
  struct Progress {
    int64_t done = 0, total = 0;
  };
  std::optional<Progress> progress;

  // Part of a tool call, which is part of an answer though no text.
  bool calls = false;
  bool empty() const { return text.empty() && reasoning.empty() && ids.empty() && !calls; }
};
// Throws Error for what is no such event.
AnswerChunk parse_chunk(std::string_view data);

// The message of an error's body, whatever form it has, and its code where there is one.
struct ServerError {
  std::string message, code;
};
ServerError parse_server_error(std::string_view body);

}  // namespace braid
