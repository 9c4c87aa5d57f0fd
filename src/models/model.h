// What the engine knows of a model: its shapes, the state that its layers need, and the forward
// pass.
#pragma once

#include "device/load.h"
#include "nn/batch.h"
#include "nn/exec.h"
#include "state/spec.h"

#include <memory>
#include <string>

namespace braid {

class Device;
class TensorFile;

struct ModelSpec {
  std::string architecture;  // "qwen3next"
  int64_t vocabulary = 0, d_model = 0, context = 0;
  int layers = 0;      // of the trunk
  int mtp_layers = 0;  // after it; 0 or 1
  StateSpec state;     // of the trunk's layers, then of the MTP layers
};

// Where a step leaves its results, at addresses that stay.
struct Outputs {
  Tensor logits;  // [logit rows, V]
  Tensor hidden;  // [R, D], the normed vectors before the head; null where nobody drafts from them
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelSpec& spec() const = 0;

  // The one forward pass: records the trunk for b.rows rows of any sequences.
  virtual void forward(Exec& ex, const Batch& b, const Outputs& out) const = 0;

  // The MTP layer for the same rows: tokens x_{p+1} in the batch at positions p, hidden vectors h_p
  // in `hidden`; logits for p+2. Its own hidden vectors, for drafting on, go to out.hidden.
  virtual void draft(Exec& ex, const Batch& b, Tensor hidden, const Outputs& out) const = 0;
};

// Reads config and weights of any supported architecture and prepares them on the device. The file
// must outlive the model. Throws Error naming what does not fit, and what the hooks throw.
std::unique_ptr<Model> load_model(const TensorFile& file, Device& device,
                                  const LoadHooks& hooks = {});

}  // namespace braid
