// What a request's head says, checked and decoded: paths, queries, keys, ids.
#pragma once

#include "server/exchange.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// "a%20b" -> "a b". Nothing when a percent sign has no two hex digits after it.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

// Fills path and query from what stands in the request line ("/a%20b?c=d", "http://host/a").
// Empty when that went well, else what is wrong with it.
std::string read_target(std::string_view target, HttpRequest& request);

// The place of what the request shows in `keys`, -1 for none of them. Takes the same time wherever
// keys differ.
int key_shown(const HttpRequest& request, const std::vector<std::string>& keys);

// What the client calls its request, or a new random name: at most 128 letters, digits and -_.:/
std::string request_id(const HttpRequest& request);

}  // namespace braid
