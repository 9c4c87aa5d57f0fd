// The numbers that describe a model of the Qwen hybrid family (Qwen3-Next, Qwen3.5 dense and MoE),
// read from GGUF metadata or from config.json. Nothing here is taken for granted: sizes come from
// the file.
#pragma once

#include "device/packed.h"

#include <string>
#include <vector>

namespace braid {

class TensorFile;

struct QwenConfig {
  std::string architecture;   // as GGUF calls it: "qwen3next", "qwen35", "qwen35moe"
  bool hugging_face = false;  // names and norms as HF has them, not as GGUF
  std::string prefix;         // HF: of the trunk's tensors, "model." or "model.language_model."
  int64_t vocabulary = 0, context = 0;
  int d_model = 0;
  int d_ff = 0;  // dense FFN
  float eps = 1e-6f;
  std::vector<bool> recurrent;  // by layer of the trunk
  int mtp_layers = 0;
  GdnShape gdn;
  AttentionShape attention;
  MoeShape moe;  // experts 0: dense

  int layers() const { return static_cast<int>(recurrent.size()); }
};

// Throws Error for another architecture, a missing key, or numbers that contradict each other.
QwenConfig read_qwen_config(const TensorFile& file);

// The architecture that the file names, as GGUF calls it; for HF the model_type is translated.
// Throws Error when the file names none.
std::string architecture_of(const TensorFile& file);

}  // namespace braid
