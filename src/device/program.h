// A forward pass, recorded once for a row bucket and replayed every step.
//
// Recording notes (entry, args) in order; nothing is computed and no tensor is touched, so the
// addresses in the args may still be imaginary while sizes are being found out.
#pragma once

#include "device/ops_table.h"

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <variant>
#include <vector>

namespace braid {

using OpArgs = std::variant<EmbedArgs, GdnMixArgs, AttnMixArgs, LinearAddArgs, MlpArgs, RouteArgs,
                            ExpertsArgs, NormRowsArgs, MtpJointArgs, HeadArgs>;

// The operations in the order of OpArgs, for what is counted of each.
inline constexpr std::array<const char*, std::variant_size_v<OpArgs>> kOpNames = {
    "embed", "gdn_mix", "attn_mix",  "linear_add", "mlp",
    "route", "experts", "norm_rows", "mtp_joint",  "head"};

class Program {
 public:
  struct Step {
    const char* name;
    int phases;
    size_t workspace;  // bytes
    OpArgs args;       // what `measure` looks at
    std::function<void(const Share&)> work;
  };

  explicit Program(int threads) : threads_(threads) {}

  template <class Args>
  void add(const char* name, const Entry<Args>& entry, const Args& args) {
    const size_t workspace = entry.workspace(args, threads_);
    workspace_ = std::max(workspace_, workspace);
    phases_ += entry.phases(args);
    steps_.push_back({name, entry.phases(args), workspace, args,
                      [work = entry.work, args](const Share& share) { work(args, share); }});
  }

  std::span<const Step> steps() const { return steps_; }
  int threads() const { return threads_; }
  int phases() const { return phases_; }
  size_t workspace() const { return workspace_; }  // the largest that a step needs

 private:
  int threads_;
  int phases_ = 0;
  size_t workspace_ = 0;
  std::vector<Step> steps_;
};

}  // namespace braid
