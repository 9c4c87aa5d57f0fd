#include "nn/ops.h"

#include "base/check.h"

namespace braid {
namespace {

Tensor take(Exec& ex, int64_t rows, int64_t cols) {
  return {ex.scratch.take<float>(static_cast<size_t>(rows * cols)), rows, cols};
}

// Shapes are wrong only by a mistake of ours: binding has checked what the file says.
void match(const Tensor& x, int64_t rows, int64_t cols, const char* what) {
  CHECK_THAT(x.rows == rows && x.cols == cols, "{}: [{}, {}], expected [{}, {}]", what, x.rows,
             x.cols, rows, cols);
}

void match(const PackedNorm& norm, int64_t size, const char* what) {
  CHECK_THAT(norm.weight.size == size, "{}: norm of {}, expected {}", what, norm.weight.size, size);
}

}  // namespace

Tensor embed(Exec& ex, const Batch& b, const PackedMatrix& w) {
  const Tensor x = take(ex, b.rows, w.cols);
  ex.program.add("embed", ex.ops.embed, EmbedArgs{b.view, w, x});
  return x;
}

Tensor gdn_mix(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedGdn& w,
               const RecurrentPool& state) {
  const GdnShape& s = w.shape;
  match(x, b.rows, s.d_model, "gdn_mix");
  match(norm, s.d_model, "gdn_mix");
  const RecurrentLayout& l = state.layout;
  CHECK(l.key_heads == s.key_heads && l.value_heads == s.value_heads && l.key_dim == s.key_dim &&
        l.value_dim == s.value_dim && l.conv_dim == s.conv_dim());
  const Tensor o = take(ex, b.rows, int64_t{s.value_heads} * s.value_dim);
  ex.program.add("gdn_mix", ex.ops.gdn_mix, GdnMixArgs{b.view, x, norm, w, state, o});
  return o;
}

Tensor attn_mix(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm,
                const PackedAttention& w, const KvPool& kv) {
  const AttentionShape& s = w.shape;
  match(x, b.rows, s.d_model, "attn_mix");
  match(norm, s.d_model, "attn_mix");
  CHECK(kv.kv_heads == s.kv_heads && kv.head_dim == s.head_dim);
  const Tensor o = take(ex, b.rows, int64_t{s.heads} * s.head_dim);
  ex.program.add("attn_mix", ex.ops.attn_mix, AttnMixArgs{b.view, x, norm, w, kv, o});
  return o;
}

void linear_add(Exec& ex, const Batch& b, Tensor x, const PackedMatrix& w, Tensor o) {
  match(x, b.rows, w.rows, "linear_add");
  match(o, b.rows, w.cols, "linear_add");
  ex.program.add("linear_add", ex.ops.linear_add, LinearAddArgs{b.view, x, w, o});
}

void mlp(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedMlp& w) {
  match(x, b.rows, w.d_model, "mlp");
  match(norm, w.d_model, "mlp");
  ex.program.add("mlp", ex.ops.mlp, MlpArgs{b.view, x, norm, w});
}

Routed route(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedRouter& w) {
  match(x, b.rows, w.shape.d_model, "route");
  match(norm, w.shape.d_model, "route");
  const auto rows = static_cast<size_t>(b.rows), top_k = static_cast<size_t>(w.shape.top_k);
  const Routed routed{ex.scratch.take<int32_t>(rows * top_k), ex.scratch.take<float>(rows * top_k),
                      ex.scratch.take<float>(rows)};
  ex.program.add("route", ex.ops.route, RouteArgs{b.view, x, norm, w, routed});
  return routed;
}

void experts(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedExperts& w,
             const Routed& routed) {
  match(x, b.rows, w.shape.d_model, "experts");
  match(norm, w.shape.d_model, "experts");
  ex.program.add("experts", ex.ops.experts, ExpertsArgs{b.view, x, norm, w, routed});
}

void norm_rows(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, Tensor out) {
  match(norm, x.cols, "norm_rows");
  CHECK(out.rows >= x.rows && out.cols == x.cols);
  ex.program.add("norm_rows", ex.ops.norm_rows, NormRowsArgs{b.view, x, norm, out});
}

Tensor mtp_joint(Exec& ex, const Batch& b, Tensor e, Tensor h, const PackedMtpJoint& w) {
  match(e, b.rows, w.d_model, "mtp_joint");
  CHECK(h.rows >= b.rows && h.cols == w.d_model);
  const Tensor u = take(ex, b.rows, w.d_model);
  ex.program.add("mtp_joint", ex.ops.mtp_joint, MtpJointArgs{b.view, e, h, w, u});
  return u;
}

void head(Exec& ex, const Batch& b, Tensor x, const PackedNorm& norm, const PackedMatrix& w,
          Tensor out) {
  match(x, b.rows, w.cols, "head");
  match(norm, w.cols, "head");
  match(out, b.logit_rows, w.rows, "head");
  ex.program.add("head", ex.ops.head, HeadArgs{b.view, x, norm, w, out});
}

}  // namespace braid
