// The operations that treat each row by itself: embed, linear_add, mlp, norm_rows, mtp_joint, head.
#include "tests/conformance/conformance.h"

namespace braid::conformance {
namespace {

using ops_test::normals;

std::vector<DType> all_weight_types() {
  std::vector<DType> types;
  for (const DTypeInfo& t : all_dtypes())
    if (t.weights) types.push_back(t.type);
  return types;
}

std::string named(const char* op, DType type, int64_t rows, int64_t cols) {
  return fmt::format("{} {} [{}, {}]", op, info(type).name, rows, cols);
}

struct Embed : Subject {
  Embed(DType type, int64_t cols) : file(1), w(file.matrix(type, ops_test::kVocabulary, cols, 16)) {
    name = named("embed", type, ops_test::kVocabulary, cols);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedMatrix packed = device.prepare(w, MatrixUse::kLookup);
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const EmbedArgs args{stage.batch(step), packed, stage.output(w.cols)};
      stage.run(device.ops().embed, args, outcome);
      stage.collect(step, args.x, "x", outcome);
    }
    return outcome;
  }
  RandomFile file;
  FileMatrix w;
};

struct LinearAdd : Subject {
  LinearAdd(DType type, int64_t rows, int64_t cols) : file(2), w(file.matrix(type, rows, cols)) {
    name = named("linear_add", type, rows, cols);
    allowed = weight_tolerance(type);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedMatrix packed = device.prepare(w, MatrixUse::kProduct);
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const LinearAddArgs args{stage.batch(step), stage.input(step, w.rows(), 1), packed,
                               stage.input(step, w.cols, 2)};
      stage.run(device.ops().linear_add, args, outcome);
      stage.collect(step, args.x, "x", outcome);
    }
    return outcome;
  }
  RandomFile file;
  FileMatrix w;
};

struct MlpOp : Subject {
  MlpOp(DType type, int64_t d_model, int64_t d_ff)
      : file(3),
        w{file.matrix(type, d_ff, d_model), file.matrix(type, d_ff, d_model),
          file.matrix(type, d_model, d_ff)},
        norm(normals(4, d_model, 0.1f, 1)) {
    name = named("mlp", type, d_ff, d_model);
    allowed = weight_tolerance(type);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedMlp packed = device.prepare(w);
    const PackedNorm packed_norm{device.prepare(norm), 1e-2f};
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const MlpArgs args{stage.batch(step), stage.input(step, w.gate.cols, 1), packed_norm, packed};
      stage.run(device.ops().mlp, args, outcome);
      stage.collect(step, args.x, "x", outcome);
    }
    return outcome;
  }
  RandomFile file;
  MlpFileWeights w;
  std::vector<float> norm;
};

struct NormRows : Subject {
  explicit NormRows(int64_t cols) : norm(normals(5, cols, 0.1f, 1)) {
    name = fmt::format("norm_rows [{}]", cols);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const auto cols = static_cast<int64_t>(norm.size());
    const PackedNorm packed{device.prepare(norm), 1e-2f};
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const NormRowsArgs args{stage.batch(step), stage.input(step, cols, 1), packed,
                              stage.output(cols)};
      stage.run(device.ops().norm_rows, args, outcome);
      stage.collect(step, args.out, "out", outcome);
    }
    return outcome;
  }
  std::vector<float> norm;
};

struct MtpJoint : Subject {
  MtpJoint(DType type, int64_t d)
      : file(6),
        w{file.matrix(type, d, 2 * d), normals(7, d, 0.1f, 1), normals(8, d, 0.1f, 1), 1e-2f} {
    name = named("mtp_joint", type, d, 2 * d);
    allowed = weight_tolerance(type);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedMtpJoint packed = device.prepare(w);
    const int64_t d = w.w.rows();
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const MtpJointArgs args{stage.batch(step), stage.input(step, d, 1), stage.input(step, d, 2),
                              packed, stage.output(d)};
      stage.run(device.ops().mtp_joint, args, outcome);
      stage.collect(step, args.u, "u", outcome);
    }
    return outcome;
  }
  RandomFile file;
  MtpJointFileWeights w;
};

struct Head : Subject {
  Head(DType type, int64_t rows, int64_t cols)
      : file(9), w(file.matrix(type, rows, cols)), norm(normals(10, cols, 0.1f, 1)) {
    name = named("head", type, rows, cols);
    allowed = weight_tolerance(type);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedMatrix packed = device.prepare(w, MatrixUse::kProduct);
    const PackedNorm packed_norm{device.prepare(norm), 1e-2f};
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const HeadArgs args{stage.batch(step), stage.input(step, w.cols, 1), packed_norm, packed,
                          stage.output(w.rows())};
      stage.run(device.ops().head, args, outcome);
      collect(step, args.logits, stage, outcome);
    }
    return outcome;
  }
  static void collect(const Step& step, const Tensor& logits, Stage& stage, Outcome& outcome) {
    int64_t row = 0;
    for (const Piece& p : step) {
      outcome.of[p.id]["logits"];  // present even when no row of the sequence is wanted
      for (int32_t i = 0; i < p.rows; ++i)
        if (ops_test::wanted(p.id, p.position + i))
          Stage::append(outcome, p.id, "logits",
                        stage.get(logits.row(row++), static_cast<size_t>(logits.cols)));
    }
  }
  RandomFile file;
  FileMatrix w;
  std::vector<float> norm;
};

TEST(Embed, EveryType) {
  for (DType type : all_weight_types()) check(Embed(type, 512), plans_of_rows());
  check(Embed(DType::F32, 7), plans_of_rows());
}

TEST(LinearAdd, EveryType) {
  for (DType type : all_weight_types()) check(LinearAdd(type, 37, 256), plans_of_rows());
}

TEST(LinearAdd, Shapes) {
  for (int64_t rows : {1, 2, 15, 16, 17, 64, 67})
    for (int64_t cols : {1, 8, 31, 64, 200})
      check(LinearAdd(DType::F32, rows, cols), plans_of_rows());
  check(LinearAdd(DType::BF16, 256, 4096), plans_of_rows());
}

TEST(Mlp, Types) {
  for (DType type : some_types()) check(MlpOp(type, 256, 512), plans_of_rows());
}

TEST(Mlp, Shapes) {
  check(MlpOp(DType::F32, 5, 3), plans_of_rows());
  check(MlpOp(DType::F32, 40, 1), plans_of_rows());
  check(MlpOp(DType::F16, 67, 129), plans_of_rows());
}

TEST(NormRows, Shapes) {
  for (int64_t cols : {1, 5, 64, 67, 2048}) check(NormRows(cols), plans_of_rows());
}

TEST(MtpJoint, Types) {
  for (DType type : some_types()) check(MtpJoint(type, 256), plans_of_rows());
  check(MtpJoint(DType::F32, 37), plans_of_rows());
}

TEST(Head, Types) {
  for (DType type : some_types()) check(Head(type, 515, 256), plans_of_rows());
  check(Head(DType::F16, 3, 33), plans_of_rows());
}

}  // namespace
}  // namespace braid::conformance
