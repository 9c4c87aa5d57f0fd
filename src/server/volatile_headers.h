// What agents write at the head of a conversation anew with each request, so that nothing of the
// last one can be used again.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace braid {

// A line of accounting that says nothing to the model ("x-anthropic-billing-header: ...; cch=...;")
// as the first one of the first message, if that is the system's: its value becomes a constant.
// The header's name; empty when there was none, and nothing was done.
std::string steady_header(nlohmann::ordered_json& messages);

// Where the first date of the text begins (2026-11-22): what stands before it may come again
// tomorrow. npos when there is none.
size_t find_date(std::string_view text);

}  // namespace braid
