// The small text files in which the system tells about itself: /proc, /sys, control groups. What
// cannot be read is empty.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

std::string read_text(const std::string& path);  // without blanks and line ends behind
std::vector<std::string> lines_of(const std::string& text);
std::optional<int64_t> number_at(std::string_view text);              // that it begins with
std::vector<int> listed(const std::string& text);                     // "0-3,8" -> 0 1 2 3 8
std::string value_of(const std::string& text, std::string_view key);  // of a line "key : value"

// Visits the folder of this process's control group and all above it: those of version 2, and of
// version 1 those of one controller ("cpu", "memory"). A container may see its own group as the
// tree's root.
using VisitGroup = std::function<void(const std::string& folder, int version)>;
void for_each_control_group(const std::string& root, const std::string& controller,
                            const VisitGroup& visit);

}  // namespace braid
