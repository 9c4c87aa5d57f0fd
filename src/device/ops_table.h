// The seam: what a device must be able to do, as composite operations on whole half-layers.
//
// An operation is phases(args) times work(args, share): all threads of the device run a phase, then
// meet at a barrier. Every entry serves every row count. Only f32 rows cross the seam; how a device
// quantises, tiles or fuses inside an operation is its own business, checked against device/ref.
#pragma once

#include "device/packed.h"
#include "device/state_view.h"
#include "device/tensor.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace braid {

// What a thread has read of the weights, for the measured bytes of a step, and how long it worked
// and then waited for the others. One thread counts the calls of experts: a row that is sent to an
// expert is a call.
struct alignas(64) Counters {
  uint64_t weight_bytes = 0;
  uint64_t expert_calls = 0, experts_called = 0;
  uint64_t busy_ns = 0, waiting_ns = 0;

  Counters& operator+=(const Counters& other) {
    weight_bytes += other.weight_bytes;
    expert_calls += other.expert_calls;
    experts_called += other.experts_called;
    busy_ns += other.busy_ns;
    waiting_ns += other.waiting_ns;
    return *this;
  }
  // What has been counted since `before`.
  Counters since(const Counters& before) const {
    return {weight_bytes - before.weight_bytes, expert_calls - before.expert_calls,
            experts_called - before.experts_called, busy_ns - before.busy_ns,
            waiting_ns - before.waiting_ns};
  }
};

// One thread's part in one phase.
struct Share {
  int phase = 0, thread = 0, threads = 1;
  std::byte* workspace =
      nullptr;  // workspace(args, threads) bytes, 64-byte aligned, contents undefined
  Counters* counters = nullptr;  // this thread's

  // The thread's contiguous part of n items.
  int64_t begin(int64_t n) const { return n * thread / threads; }
  int64_t end(int64_t n) const { return n * (thread + 1) / threads; }
};

template <class Args>
struct Entry {
  int (*phases)(const Args&) = nullptr;
  size_t (*workspace)(const Args&, int threads) = nullptr;
  void (*work)(const Args&, const Share&) = nullptr;

  explicit operator bool() const { return phases && workspace && work; }
};

// Shapes in the comments: R rows of the step, D = d_model, V = vocabulary.

struct EmbedArgs {  // x = rows of the embedding
  BatchView batch;
  PackedMatrix w;  // [V, D]
  Tensor x;        // [R, D]
};

struct GdnMixArgs {  // o = gated, normed heads of the delta rule over RMS(x); the state moves on
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  PackedGdn w;
  RecurrentPool state;
  Tensor o;  // [R, Hv*Dv]
};

struct AttnMixArgs {  // o = gated heads of causal attention over RMS(x); keys and values are
                      // appended
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  PackedAttention w;
  KvPool kv;
  Tensor o;  // [R, heads*head_dim]
};

struct LinearAddArgs {  // x += W o
  BatchView batch;
  Tensor x;        // [R, D]
  PackedMatrix w;  // [D, K]
  Tensor o;        // [R, K]
};

struct MlpArgs {  // x += down(silu(gate h) * up h), h = RMS(x)
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  PackedMlp w;
};

// The experts of each row. Slots are in ascending order of expert, which is the order of summation.
struct Routed {
  int32_t* ids = nullptr;    // [R, top_k]
  float* weights = nullptr;  // [R, top_k], sum 1
  float* shared = nullptr;   // [R], weight of the shared expert
};

struct RouteArgs {
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  PackedRouter w;
  Routed routed;
};

struct ExpertsArgs {  // x += sum of the routed experts and the shared one, of RMS(x)
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  PackedExperts w;
  Routed routed;
};

struct NormRowsArgs {  // out = RMS(x): the hidden vectors that an MTP layer starts from
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  Tensor out;  // [R, D]
};

struct MtpJointArgs {  // u = W [RMS(e); RMS(h)]
  BatchView batch;
  Tensor e, h;  // [R, D]
  PackedMtpJoint w;
  Tensor u;  // [R, D]
};

struct HeadArgs {  // logits = W RMS(x), for the wanted rows alone
  BatchView batch;
  Tensor x;  // [R, D]
  PackedNorm norm;
  PackedMatrix w;  // [V, D]
  Tensor logits;   // [logit rows, V]
};

struct Ops {
  Entry<EmbedArgs> embed;
  Entry<GdnMixArgs> gdn_mix;
  Entry<AttnMixArgs> attn_mix;
  Entry<LinearAddArgs> linear_add;
  Entry<MlpArgs> mlp;
  Entry<RouteArgs> route;
  Entry<ExpertsArgs> experts;
  Entry<NormRowsArgs> norm_rows;
  Entry<MtpJointArgs> mtp_joint;
  Entry<HeadArgs> head;

  // f(name, entry) for every entry: open_device refuses a table with a hole.
  template <class F>
  void for_each(F&& f) const {
    f("embed", embed);
    f("gdn_mix", gdn_mix);
    f("attn_mix", attn_mix);
    f("linear_add", linear_add);
    f("mlp", mlp);
    f("route", route);
    f("experts", experts);
    f("norm_rows", norm_rows);
    f("mtp_joint", mtp_joint);
    f("head", head);
  }
};

}  // namespace braid
