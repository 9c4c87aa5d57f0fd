// Finds the weights of a Qwen hybrid model in a checkpoint, brings the differences between files to
// one form, and prepares them on a device. After this no names exist.
#pragma once

#include "models/qwen_config.h"
#include "nn/layer.h"

#include <optional>
#include <vector>

namespace braid {

class Device;
class TensorFile;

struct QwenWeights {
  PackedMatrix embedding;
  std::vector<LayerWeights> layers;
  PackedNorm final_norm;
  PackedMatrix head;

  struct Mtp {
    PackedMatrix embedding, head;  // the trunk's, unless the file has others
    PackedMtpJoint joint;
    LayerWeights layer;
    PackedNorm final_norm;
  };
  std::optional<Mtp> mtp;
};

QwenWeights bind_qwen(const TensorFile& file, const QwenConfig& config, Device& device);

}  // namespace braid
