// Attention behind the projections: queries of a step against the cache.
//
// The work is cut into tiles, rows of one sequence times the heads of one kv head, so that a cached
// row is read once for all of them. With few rows the runs of a tile (device/state_view.h) are
// items of their own, and the thread that finishes the last one combines them in order; with many a
// thread takes a tile through all its runs. Threads take items as they come. None of this changes a
// bit: what is computed for a (row, head) depends on its position alone.
#pragma once

#include "device/cpu/cpu_ops.h"

namespace braid::cpu {

KvType kv_type(DType type);

// Floats of a query: head_dim, padded.
inline int query_floats(const AttentionShape& s) {
  return (s.head_dim + kQueryPad - 1) / kQueryPad * kQueryPad;
}

class AttendWorkspace {
 public:
  AttendWorkspace(const AttnMixArgs& args, int threads, Carver& shared);

  // Room that a thread has for itself.
  struct Scratch {
    Scratch() = default;
    Scratch(const AttnMixArgs& args, Carver& own);
    const void** q = nullptr;  // [queries of a tile], like these:
    float* query_unit = nullptr;
    int* visible = nullptr;
    float *top = nullptr, *sum = nullptr, *largest = nullptr, *total = nullptr;
    void* strip = nullptr;
    float *units = nullptr, *factors = nullptr, *page_units = nullptr;
    int16_t *q_words = nullptr, *scales = nullptr, *page_weights = nullptr;
    float* weights = nullptr;  // [queries, kPartial]
    float* out = nullptr;      // [queries, query_floats], like run_out
    float *run_top = nullptr, *run_sum = nullptr, *run_out = nullptr;
  };

  // Before the phase that attends, by one thread.
  void clear() const;
  // Leaves a query, normed and rotated, of head_dim numbers.
  void put_query(const AttnMixArgs& args, const Kernels& kernels, int64_t row, int head,
                 const float* x) const;

  float* gate;       // [R, heads, head_dim], of the projections
  float key_length;  // no key is longer

 private:
  friend class Attender;
  float* q;                  // [R, heads, query_floats]: floats, or words in their place
  float* query_unit;         // [R, heads]
  int64_t split_rows;        // rows of a step whose runs may be items of their own
  int64_t max_runs;          // of a row
  size_t lists;              // (row, head) of those rows
  int* taken;                // items that threads have taken
  int* done;                 // [lists]: runs of a tile that are ready
  float *run_top, *run_sum;  // [lists, max_runs]
  float* run_out;            // [lists, max_runs, query_floats]
};

// This thread's part: args.o of all rows.
void attend(const AttnMixArgs& args, const Kernels& kernels, const AttendWorkspace& workspace,
            const AttendWorkspace::Scratch& scratch, const Share& share);

}  // namespace braid::cpu
