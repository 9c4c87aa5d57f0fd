// Golden checkpoints: tiny random models of Hugging Face transformers with the logits that it
// computes from them (tests/golden/README.md). `braid golden` and the golden tests compare an
// engine with those.
#pragma once

#include "device/device.h"
#include "format/tensor_file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace braid {

struct GoldenLogits {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;
};

struct GoldenFile {
  std::string path;
  bool mtp = false;
};

struct GoldenCase {
  struct Prompt {
    std::vector<int32_t> ids;
    GoldenLogits logits;  // of every position
  };
  struct Draft {
    int32_t following = 0;             // the id after the prompt
    GoldenLogits logits;               // of the MTP layer at every position of the prompt
    std::vector<int32_t> chained_ids;  // fed after it, one by one
    GoldenLogits chained_logits;
  };

  std::string name, architecture;
  double largest = 0;             // absolute logit of the prompts: what differences are relative to
  std::vector<GoldenFile> files;  // HF folders and GGUF files of the same weights
  std::vector<Prompt> prompts;
  size_t greedy_prompt = 0;     // of greedy and draft
  std::vector<int32_t> greedy;  // what follows it
  std::optional<Draft> draft;
  bool tied = false, moe = false;
  int head_dim = 0, kv_heads = 0, q_heads = 0, key_heads = 0, value_heads = 0, gdn_dim = 0;
};

// Reads the index and the logits beside it. Throws Error.
std::vector<GoldenCase> read_goldens(const std::string& index_path);

// Differences of logits are the largest of all rows, relative to GoldenCase::largest.
struct GoldenResult {
  std::vector<double> prompts;
  int greedy_equal = 0;  // of GoldenCase::greedy, from the first on
  double draft = 0, chain = 0;

  double worst() const;
};
inline constexpr double kGoldenTolerance = 1e-4;

// Runs all that the case has on a file of it. `mtp`: the file has the MTP layer.
GoldenResult run_golden(const GoldenCase& golden, const TensorFile& file, bool mtp, Device& device);

}  // namespace braid
