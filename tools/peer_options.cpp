#include "tools/peer_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace braid {
namespace {

using enum PeerValue;

constexpr std::string_view kNoGpu = "everything runs on the CPU";
constexpr std::string_view kOneKernel = "there is one exact way to compute this, and it is used";
constexpr std::string_view kPlanned = "memory is planned for the model and the context";
constexpr std::string_view kMapped = "the file is mapped and read as needed";
constexpr std::string_view kQuiet = "there is no log";

constexpr PeerOption kPeerOptions[] = {
    {"-ngl", kOne, kNoGpu},
    {"--gpu-layers", kOne, kNoGpu},
    {"--n-gpu-layers", kOne, kNoGpu},
    {"-sm", kOne, kNoGpu},
    {"--split-mode", kOne, kNoGpu},
    {"-ts", kOne, kNoGpu},
    {"--tensor-split", kOne, kNoGpu},
    {"-mg", kOne, kNoGpu},
    {"--main-gpu", kOne, kNoGpu},
    {"--max-gpu", kOne, kNoGpu},
    {"-cmoe", kNone, kNoGpu},
    {"--cpu-moe", kNone, kNoGpu},
    {"-ncmoe", kOne, kNoGpu},
    {"--n-cpu-moe", kOne, kNoGpu},
    {"-ot", kOne, kNoGpu},
    {"--override-tensor", kOne, kNoGpu},
    {"--fit", kSwitch, kNoGpu},
    {"--fit-margin", kOne, kNoGpu},
    {"-gfm", kOne, kNoGpu},
    {"--gpu-fit-margin", kOne, kNoGpu},
    {"-nkvo", kNone, kNoGpu},
    {"--no-kv-offload", kNone, kNoGpu},
    {"-op", kOne, kNoGpu},
    {"--offload-policy", kOne, kNoGpu},
    {"-no-ooae", kNone, kNoGpu},
    {"--no-offload-only-active-experts", kNone, kNoGpu},
    {"-cuda", kOne, kNoGpu},
    {"--cuda-params", kOne, kNoGpu},
    {"-smgs", kNone, kNoGpu},
    {"--split-mode-graph-scheduling", kNone, kNoGpu},
    {"-sas", kNone, kNoGpu},
    {"--scheduler-async", kNone, kNoGpu},
    {"-smf16", kNone, kNoGpu},
    {"-smf32", kNone, kNoGpu},
    {"-grt", kOne, kNoGpu},
    {"--graph-reduce-type", kOne, kNoGpu},
    {"-gap", kOne, kNoGpu},
    {"--graph-attn-precision", kOne, kNoGpu},

    {"-fa", kSwitch, kOneKernel},
    {"--flash-attn", kSwitch, kOneKernel},
    {"-no-fa", kNone, kOneKernel},
    {"--no-flash-attn", kNone, kOneKernel},
    {"-fmoe", kSwitch, kOneKernel},
    {"--fused-moe", kSwitch, kOneKernel},
    {"-no-fmoe", kNone, kOneKernel},
    {"--no-fused-moe", kNone, kOneKernel},
    {"-no-fug", kNone, kOneKernel},
    {"--no-fused-up-gate", kNone, kOneKernel},
    {"-no-mmad", kNone, kOneKernel},
    {"--no-fused-mul-multiadd", kNone, kOneKernel},
    {"-fdn", kOne, kOneKernel},
    {"--fused-delta-net", kOne, kOneKernel},
    {"-mla", kOne, kOneKernel},
    {"--mla-use", kOne, kOneKernel},
    {"-rcache", kNone, kOneKernel},
    {"--rope-cache", kNone, kOneKernel},
    {"-rtr", kNone, kOneKernel},
    {"--run-time-repack", kNone, kOneKernel},
    {"-mqkv", kNone, kOneKernel},
    {"--merge-qkv", kNone, kOneKernel},
    {"-muge", kNone, kOneKernel},
    {"--merge-up-gate-experts", kNone, kOneKernel},

    {"-gr", kNone, kPlanned},
    {"--graph-reuse", kNone, kPlanned},
    {"-no-gr", kNone, kPlanned},
    {"--no-graph-reuse", kNone, kPlanned},
    {"-amb", kOne, kPlanned},
    {"--attention-max-batch", kOne, kPlanned},
    {"-mea", kOne, kPlanned},
    {"--max-extra-alloc", kOne, kPlanned},
    {"-wgt", kOne, kPlanned},
    {"--worst-graph-tokens", kOne, kPlanned},
    {"--no-warmup", kNone, "nothing is warmed up"},
    {"-wb", kNone, "nothing is warmed up"},
    {"--warmup-batch", kNone, "nothing is warmed up"},

    {"-mmp", kOne, kMapped},
    {"--mmap", kNone, kMapped},
    {"--no-mmap", kNone, kMapped},
    {"--mlock", kNone, kMapped},
    {"-thp", kNone, kMapped},
    {"--transparent-huge-pages", kNone, kMapped},
    {"--numa", kOne, kMapped},
    {"--defer-experts", kNone, kMapped},
    {"--prefetch-experts", kNone, kMapped},
    {"--prefetch-experts-threads", kOne, kMapped},
    {"--check-tensors", kNone, "every file is checked"},
    {"-vq", kNone, "every file is checked"},
    {"--validate-quants", kNone, "every file is checked"},

    {"-s", kOne, "nothing is drawn at random"},
    {"--seed", kOne, "nothing is drawn at random"},
    {"-tb", kOne, "-t counts for prompts as well"},
    {"--threads-batch", kOne, "-t counts for prompts as well"},
    {"-v", kNone, kQuiet},
    {"--verbose", kNone, kQuiet},
    {"--verbosity", kOne, kQuiet},
    {"--log-disable", kNone, kQuiet},
    {"--simple-io", kNone, kQuiet},
};

// Names that a parser with one-letter short options cannot hold.
struct LongName {
  std::string_view peer, ours;
};
constexpr LongName kLongNames[] = {
    {"-ub", "--ubatch-size"},   {"-np", "--parallel"},     {"-ctk", "--cache-type-k"},
    {"-ctv", "--cache-type-v"}, {"--n-ctx", "--ctx-size"},
};

bool is_switch_word(std::string_view word) {
  constexpr std::array<std::string_view, 5> kWords = {"on", "off", "auto", "0", "1"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// --name=value taken apart; without a '=' the rest is empty.
struct Split {
  std::string name, rest;  // rest begins with the '='
};
Split split(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos) return {argument, ""};
  return {argument.substr(0, equals), argument.substr(equals)};
}

std::string our_name(const std::string& name) {
  for (const LongName& known : kLongNames)
    if (name == known.peer) return std::string(known.ours);
  return name;
}

const PeerOption* find_peer_option(std::string_view name) {
  for (const PeerOption& option : kPeerOptions)
    if (option.name == name) return &option;
  return nullptr;
}

}  // namespace

std::span<const PeerOption> peer_options() { return kPeerOptions; }

PeerSpelling translate_peer_options(const CLI::App& command,
                                    std::span<const std::string> arguments) {
  PeerSpelling out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool more = i + 1 < arguments.size();
    if (argument == "--") {
      out.arguments.insert(out.arguments.end(), arguments.begin() + static_cast<long>(i),
                           arguments.end());
      break;
    }
    const auto [name, rest] = split(argument);
    if (!argument.starts_with('-')) {
      out.arguments.push_back(argument);
    } else if (const CLI::Option* own = command.get_option_no_throw(our_name(name))) {
      out.arguments.push_back(our_name(name) + rest);
      // Its value is nobody else's business, whatever it looks like.
      if (own->get_items_expected_max() > 0 && rest.empty() && more)
        out.arguments.push_back(arguments[++i]);
    } else if (const PeerOption* peer = find_peer_option(name)) {
      std::string given = argument;
      const bool value = peer->value == kOne ||
                         (peer->value == kSwitch && more && is_switch_word(arguments[i + 1]));
      if (value && rest.empty() && more) given += " " + arguments[++i];
      out.notes.push_back(fmt::format("{}: has nothing to do here: {}", given, peer->why));
    } else {
      out.arguments.push_back(argument);
    }
  }
  return out;
}

}  // namespace braid
