// A model on a device with its state memory: what runs steps. One thread owns an engine.
//
// A step takes new tokens of any number of sequences, prefill and decode mixed, and moves each
// sequence on. All memory is planned and taken at the start: programs are recorded for row buckets
// of 1, 2, 4, ... up to the micro-batch, and the allocator is frozen after that.
#pragma once

#include "device/device.h"
#include "models/model.h"
#include "state/pool.h"
#include "state/sequence.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace braid {

// As contexts: all that the model was trained on, and that or 32,768 if it is more, which bounds
// what an unasked context takes of memory.
inline constexpr int64_t kTrainedContext = 0, kUsualContext = -1;

struct EngineOptions {
  int64_t context = 4096;  // most tokens of a sequence
  int sequences = 1;       // most sequences at a time
  int spare_slots = 0;     // for forks beside them that share all but their last page
  int64_t pages = 0;       // of keys and values; 0: enough for all sequences at their full length
  int64_t ubatch = 512;    // most rows of a step
  int64_t logit_rows = 0;  // most rows of a step whose logits are wanted; 0: one per sequence
  DType key_type = DType::F16, value_type = DType::F16;
  bool draft = false;   // keep hidden vectors and run the MTP layer
  bool hidden = false;  // keep hidden vectors in any case
};

// Bytes by purpose, all of them taken at the start. The trash slot and page are beside the total:
// the CPU has no padding rows, so there they stay address space that nobody touches.
struct MemoryPlan {
  size_t weights = 0;  // packed; embeddings stay in the mapped file
  size_t state = 0;    // recurrent slots and KV pages
  size_t scratch = 0, workspace = 0;
  size_t buffers = 0;  // batch and results
  size_t trash = 0;
  size_t total() const { return weights + state + scratch + workspace + buffers; }
};

struct Feed {
  Sequence* sequence = nullptr;
  std::span<const int32_t> tokens;
  int64_t logits = 1;  // of how many of the last rows the logits are wanted
};

// The tokens after x_p with the hidden vectors h_p: what an MTP layer drafts from. Its keys and
// values go to the positions p of the sequence, whose length stays as it is.
struct DraftFeed {
  Sequence* sequence = nullptr;
  int64_t position = 0;             // p of the first row
  std::span<const int32_t> tokens;  // x_{p+1}
  std::span<const float> hidden;    // [tokens, d_model]
  int64_t logits = 1;
};

class Engine {
 public:
  // File and device outlive the engine. Throws Error when the model does not fit, and what the
  // hooks throw.
  Engine(const TensorFile& file, Device& device, const EngineOptions& options,
         const LoadHooks& hooks = {});
  ~Engine();

  const ModelSpec& spec() const;
  const EngineOptions& options() const { return options_; }
  MemoryPlan memory() const { return plan_; }
  Device& device() const { return device_; }
  StatePool& pool() { return *pool_; }
  Sequence new_sequence() { return Sequence(*pool_); }

  // The program that a step of this many rows replays.
  const Program& program(int64_t rows) const;

  // Runs one step. Throws Error, moving nothing, for tokens that the vocabulary does not have and
  // for more rows or positions than were planned. Whoever sets *stop meanwhile ends it early: then
  // it returns false, and the sequences are as after any step that broke off (Sequence::abandon).
  bool step(std::span<const Feed> feeds, const std::atomic<bool>* stop = nullptr);
  // Runs the MTP layer; needs options.draft.
  void draft(std::span<const DraftFeed> feeds);

  // Results of the last step or draft, in the order of the feeds and their rows.
  int64_t logit_rows() const { return logit_rows_; }
  std::span<const float> logits(int64_t row) const;
  std::span<const float> hidden(int64_t row) const;  // of every row; needs draft or hidden

 private:
  class Rows;

  void record();
  void run(const Rows& rows, const std::vector<Program>& programs, bool want_hidden,
           const std::atomic<bool>* stop = nullptr);
  size_t bucket(int64_t rows) const;

  EngineOptions options_;
  Device& device_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<StatePool> pool_;
  MemoryPlan plan_;
  std::vector<int64_t> buckets_;
  std::vector<Program> forward_, draft_;
  Buffer counts_, tokens_, segments_, pages_, logit_rows_buffer_, logits_buffer_, hidden_out_,
      hidden_in_;
  Buffer scratch_, workspace_;
  int64_t max_pages_ = 0;
  int64_t logit_rows_ = 0;
  std::vector<float> logits_, hidden_;  // on the host
};

}  // namespace braid
