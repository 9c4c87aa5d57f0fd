// The messages of a chat request, as OpenAI's clients send them, made into what templates read.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace braid {

// A developer's message becomes a system message, a list of text parts one text with a line end
// between parts. Throws ApiError for what is no message, and for parts that are no text.
nlohmann::ordered_json read_messages(const nlohmann::ordered_json& messages);

}  // namespace braid
