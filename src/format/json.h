// JSON of files that nobody has checked: bounded in size and depth, no key twice, errors as Error.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace braid {

inline constexpr size_t kMaxJsonBytes = 100'000'000;  // the bound of the safetensors library
inline constexpr int kMaxJsonDepth = 64;

// `path` stands in errors. Throws Error with line and column.
nlohmann::json parse_json(const std::string& path, std::string_view text);

// Maps and parses a file.
nlohmann::json read_json(const std::string& path);

// A value in one line, for a message.
std::string json_text(const nlohmann::json& value, size_t max = 100);

}  // namespace braid
