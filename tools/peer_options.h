// Options as llama.cpp and ik_llama.cpp spell them.
//
// Their users bring command lines along. Two things make those work: names of several letters after
// one dash (-ctk), which are rewritten to the long name of our option, and options that steer
// something which Braid does not have, which are taken out with a note. What would change a result
// is never in that list: such an option is an error, with advice where there is some.
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

// What follows the name. kSwitch: on, off, auto, 0 or 1 may.
enum class PeerValue { kNone, kOne, kSwitch };

struct PeerOption {
  std::string_view name;
  PeerValue value;
  std::string_view why;             // after "has nothing to do here: "
  std::string_view only_command{};  // for others it is unknown
};
std::span<const PeerOption> peer_options();

// Options that would change what comes out, and that Braid has no counterpart of.
struct RefusedOption {
  std::string_view name;
  PeerValue value;
  std::string_view advice;
  std::string_view off;  // values, with commas between, that ask for what Braid does anyway
};
std::span<const RefusedOption> refused_options();

// What is wrong with the first argument that looks like an option and is none: advice where a peer
// has it, else names that are near. Empty when all are known.
std::string wrong_option(const CLI::App& command, std::span<const std::string> arguments);

}  // namespace braid
