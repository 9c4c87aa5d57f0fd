// Options as llama.cpp and ik_llama.cpp spell them.
//
// Their users bring command lines along. Two things make those work: names of several letters after
// one dash (-ctk), which are rewritten to the long name of our option, and options that steer
// something which Braid does not have, which are taken out with a note. What would change a result
// is never in that list: an option that is not there is an error, as it should be.
#pragma once

#include <CLI/CLI.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct PeerSpelling {
  std::vector<std::string> arguments;  // for the command's own options
  std::vector<std::string> notes;      // one line for each option that was taken out
};
PeerSpelling translate_peer_options(const CLI::App& command,
                                    std::span<const std::string> arguments);

enum class PeerValue { kNone, kOne, kSwitch };  // kSwitch: on, off, auto, 0 or 1 may follow

struct PeerOption {
  std::string_view name;
  PeerValue value;
  std::string_view why;  // after "has nothing to do here: "
};
std::span<const PeerOption> peer_options();

}  // namespace braid
