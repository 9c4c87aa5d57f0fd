#include "tools/peer_options.h"

#include "tools/arguments.h"
#include "tools/near_spelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace braid {
namespace {

// Names that a parser with one-letter short options cannot hold.
struct LongName {
  std::string_view peer, ours;
};
constexpr LongName kLongNames[] = {
    {"-ub", "--ubatch-size"},
    {"-np", "--parallel"},
    {"-ctk", "--cache-type-k"},
    {"-ctv", "--cache-type-v"},
    {"--n-ctx", "--ctx-size"},
    {"--n-predict", "--predict"},
    {"-sys", "--system-prompt"},
    {"-spf", "--system-prompt-file"},
    {"-sp", "--special"},
    {"-pg", "--prompt-gen"},
    {"-gp", "--gen-after-prompt"},
    {"-tgb", "--threads-gen-batch"},
    {"-tb", "--threads-batch"},
    {"-oe", "--output-err"},
    {"-wb", "--warmup-batch"},
    {"-nrep", "--n-repetitions"},
    {"-npp", "--npp"},
    {"-ntg", "--ntg"},
    {"-npl", "--npl"},
    {"-pps", "--pps"},
};

// "on", or a list of such words: llama-bench runs every test with each.
bool is_switch_word(std::string_view word) {
  constexpr std::array<std::string_view, 5> kWords = {"on", "off", "auto", "0", "1"};
  for (size_t begin = 0; begin <= word.size();) {
    const size_t end = std::min(word.find(',', begin), word.size());
    const std::string_view one = word.substr(begin, end - begin);
    if (std::find(kWords.begin(), kWords.end(), one) == kWords.end()) return false;
    begin = end + 1;
  }
  return true;
}

std::string our_name(const std::string& name) {
  for (const LongName& known : kLongNames)
    if (name == known.peer) return std::string(known.ours);
  return name;
}

const PeerOption* find_peer_option(std::string_view name, std::string_view command) {
  for (const PeerOption& option : peer_options())
    if (option.name == name && (option.only_command.empty() || option.only_command == command))
      return &option;
  return nullptr;
}

const RefusedOption* find_refused_option(std::string_view name) {
  for (const RefusedOption& option : refused_options())
    if (option.name == name) return &option;
  return nullptr;
}

// "0.0" asks for what "0" asks for.
bool is_off(std::string_view value, std::string_view off) {
  if (value == off) return !off.empty();
  const auto number = [](std::string_view text) -> std::optional<double> {
    double parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return parsed;
  };
  for (size_t begin = 0; begin < off.size();) {
    const size_t end = std::min(off.find(',', begin), off.size());
    const std::string_view one = off.substr(begin, end - begin);
    begin = end + 1;
    if (value == one || (number(one) && number(value) == number(one))) return true;
  }
  return false;
}

// The words of a command line, one option at a time.
class Translation {
 public:
  Translation(const CLI::App& command, std::span<const std::string> arguments)
      : command_(command), arguments_(arguments) {}

  PeerSpelling run() {
    for (at_ = 0; at_ < arguments_.size(); ++at_) {
      if (arguments_[at_] == "--") {
        const auto rest = arguments_.subspan(at_);
        out_.arguments.insert(out_.arguments.end(), rest.begin(), rest.end());
        break;
      }
      if (!arguments_[at_].starts_with('-') || !(own() || peer() || off()))
        out_.arguments.push_back(arguments_[at_]);
    }
    return std::move(out_);
  }

 private:
  bool more() const { return at_ + 1 < arguments_.size(); }

  bool own() {
    const auto [name, rest] = split_argument(arguments_[at_]);
    const CLI::Option* option = command_.get_option_no_throw(our_name(name));
    if (option == nullptr) return false;
    out_.arguments.push_back(our_name(name) + rest);
    // Its value is nobody else's business, whatever it looks like.
    if (option->get_items_expected_max() > 0 && rest.empty() && more())
      out_.arguments.push_back(arguments_[++at_]);
    return true;
  }

  bool peer() {
    const auto [name, rest] = split_argument(arguments_[at_]);
    const PeerOption* option = find_peer_option(name, command_.get_name());
    if (option == nullptr) return false;
    std::string given = arguments_[at_];
    // llama-bench gives a value to what is a plain flag elsewhere: -rtr 0,1.
    const bool may = option->value == PeerValue::kSwitch || command_.get_name() == "bench";
    const bool value =
        option->value == PeerValue::kOne || (may && more() && is_switch_word(arguments_[at_ + 1]));
    if (value && rest.empty() && more()) given += " " + arguments_[++at_];
    out_.notes.push_back(fmt::format("{}: has nothing to do here: {}", given, option->why));
    return true;
  }

  // One that would be refused, with a value that switches it off.
  bool off() {
    const auto [name, rest] = split_argument(arguments_[at_]);
    const RefusedOption* option = find_refused_option(name);
    if (option == nullptr || (rest.empty() && !more())) return false;
    const std::string value = rest.empty() ? arguments_[at_ + 1] : rest.substr(1);
    if (!is_off(value, option->off)) return false;
    at_ += rest.empty();
    out_.notes.push_back(
        fmt::format("{} {}: has nothing to do here: that is how it always is", name, value));
    return true;
  }

  const CLI::App& command_;
  std::span<const std::string> arguments_;
  size_t at_ = 0;
  PeerSpelling out_;
};

}  // namespace

PeerSpelling translate_peer_options(const CLI::App& command,
                                    std::span<const std::string> arguments) {
  return Translation(command, arguments).run();
}

std::string wrong_option(const CLI::App& command, std::span<const std::string> arguments) {
  for (const Argument& argument : read_arguments(command, arguments)) {
    if (argument.name.empty() || argument.option != nullptr) continue;
    if (const RefusedOption* refused = find_refused_option(argument.name))
      return fmt::format("{} would change the result and is not there: {}", argument.name,
                         refused->advice);
    return fmt::format("there is no option {}{}", argument.name,
                       did_you_mean(argument.name, option_names(command)));
  }
  return "";
}

}  // namespace braid
