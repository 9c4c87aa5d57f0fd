// The calls that mixers, FFNs and models are written in; the only callers of the op table. Each
// checks the shapes that it is given, takes its result from the scratch and records the call.
#pragma once

#include "nn/batch.h"
#include "nn/exec.h"

namespace braid {

Tensor embed(Exec& ex, const Batch& b, const PackedMatrix& w);  // -> [R, D]

// Mixers: heads over RMS(x), [R, heads * dim]. The output projection is linear_add's.
Tensor gdn_mix(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedGdn& w,
               const RecurrentPool& state);
Tensor attn_mix(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm,
                const PackedAttention& w, const KvPool& kv);

void linear_add(Exec& ex, const Batch& b, Tensor x, const PackedMatrix& w, Tensor o);  // x += W o
void mlp(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedMlp& w);

Routed route(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedRouter& w);
void experts(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedExperts& w,
             const Routed& routed);

void norm_rows(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, Tensor out);
Tensor mtp_joint(Exec& ex, const Batch& b, Tensor e, Tensor h,
                 const PackedMtpJoint& w);  // -> [R, D]

// Logits of the wanted rows into out [logit rows, V].
void head(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedMatrix& w,
          Tensor out);

}  // namespace braid
