// One step reads each weight once, however many sequences it moves on (Device::weight_bytes_read
// counts what threads really read), and of experts only those that are called.
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <set>

namespace braid::isolation {
namespace {

class Weights : public testing::TestWithParam<Setup> {};

EngineOptions options() {
  EngineOptions o;
  o.context = 320;
  o.sequences = 8;
  o.ubatch = 320;
  o.logit_rows = 16;
  return o;
}

// The experts that the last step called, layer by layer. Spied on, because routing lives in scratch
// memory that the next layer uses again.
std::vector<size_t> called_experts;
void (*real_experts)(const ExpertsArgs&, const Share&) = nullptr;

void spy_on_experts(Ops& ops) {
  real_experts = ops.experts.work;
  ops.experts.work = [](const ExpertsArgs& args, const Share& share) {
    if (share.thread == 0 && share.phase == 0) {
      const int32_t* ids = args.routed.ids;
      called_experts.push_back(
          std::set<int32_t>(ids, ids + args.batch.counts->rows * args.w.shape.top_k).size());
    }
    real_experts(args, share);
  };
}

// Bytes of the matrices of a recorded operation: all but the embedding and routed experts is read
// whole. The handles' bytes also have vectors, which the counters leave out.
struct Expected {
  uint64_t embedding_row = 0, whole = 0;
  std::vector<uint64_t> expert;  // of one, by layer

  explicit Expected(const Program& program) {
    for (const Program::Step& step : program.steps())
      std::visit([this](const auto& args) { add(args); }, step.args);
  }
  void add(const EmbedArgs& a) { embedding_row = a.w.bytes / static_cast<size_t>(a.w.rows); }
  void add(const GdnMixArgs& a) {
    const GdnShape& s = a.w.shape;
    const int vectors = s.conv_dim() * s.taps + 2 * s.value_heads + s.value_dim;
    whole += a.w.bytes - sizeof(float) * static_cast<size_t>(vectors);
  }
  void add(const AttnMixArgs& a) {
    whole += a.w.bytes - sizeof(float) * static_cast<size_t>(2 * a.w.shape.head_dim);
  }
  void add(const LinearAddArgs& a) { whole += a.w.bytes; }
  void add(const MlpArgs& a) { whole += a.w.bytes; }
  void add(const RouteArgs& a) {  // with the shared expert's gate, a vector
    whole += a.w.bytes - sizeof(float) * static_cast<size_t>(a.w.shape.d_model);
  }
  void add(const ExpertsArgs& a) {
    expert.push_back(a.w.expert_bytes);
    whole += a.w.bytes - a.w.expert_bytes * static_cast<size_t>(a.w.shape.experts);
  }
  void add(const HeadArgs& a) { whole += a.w.bytes; }
  template <class Other>
  void add(const Other&) {}

  uint64_t of(int64_t rows, const std::vector<size_t>& called) const {
    CHECK(called.size() == expert.size());
    uint64_t bytes = whole + static_cast<uint64_t>(rows) * embedding_row;
    for (size_t i = 0; i < called.size(); ++i) bytes += called[i] * expert[i];
    return bytes;
  }
};

// The same from the file, without the device's word: every matrix of the trunk but the experts.
uint64_t whole_by_file(const TensorFile& file, int layers) {
  uint64_t bytes = 0, embedding = 0;
  bool head = false;
  for (const FileTensor& t : file.tensors()) {
    const bool mtp = t.name.starts_with(fmt::format("blk.{}.", layers));
    const bool vector = t.rows() == 1 || t.name.find("ssm_conv1d") != std::string::npos;
    const bool expert = t.name.find("_exps") != std::string::npos;
    if (t.name == "token_embd.weight") embedding = t.bytes.size();
    if (t.name == "output.weight") head = true;
    if (!mtp && !vector && !expert && t.name != "token_embd.weight") bytes += t.bytes.size();
  }
  return bytes + (head ? 0 : embedding);  // a tied head
}

uint64_t bytes_of_step(Bench& bench, const std::vector<Feed>& feeds) {
  called_experts.clear();
  const uint64_t before = bench.device->weight_bytes_read();
  bench.engine.step(feeds);
  return bench.device->weight_bytes_read() - before;
}

std::vector<Sequence> eight(Engine& engine) {
  std::vector<Sequence> sequences;
  for (int i = 0; i < 8; ++i) sequences.push_back(engine.new_sequence());
  return sequences;
}

TEST_P(Weights, EightSequencesReadWhatOneReads) {
  Bench bench(GetParam(), best_isa(), options(), spy_on_experts);
  const Expected expected(bench.engine.program(1));
  EXPECT_EQ(expected.whole,
            whole_by_file(model_file(GetParam().model), bench.engine.spec().layers));
  std::vector<Sequence> sequences = eight(bench.engine);
  const Tokens token = {42};
  const uint64_t one = bytes_of_step(bench, {{&sequences[0], token}});
  EXPECT_EQ(one, expected.of(1, called_experts));
  sequences[0].reset();
  std::vector<Feed> feeds;
  for (Sequence& s : sequences) feeds.push_back({&s, token});
  // The same token in all of them calls the same experts.
  EXPECT_EQ(bytes_of_step(bench, feeds), one + 7 * expected.embedding_row);
  for (const size_t called : called_experts) EXPECT_LT(called, 8u);
}

TEST_P(Weights, AnyStepReadsEachCalledWeightOnce) {
  Bench bench(GetParam(), best_isa(), options(), spy_on_experts);
  std::vector<Sequence> sequences = eight(bench.engine);
  std::mt19937 random(8);
  for (int i = 0; i < 12; ++i) {
    std::vector<Tokens> tokens;
    std::vector<Feed> feeds;
    int64_t rows = 0;
    for (size_t s = 0; s < 1 + static_cast<size_t>(i) % 8; ++s)
      tokens.push_back(timeline(10 * i + static_cast<int>(s), 1 + random() % (i % 2 ? 1 : 9)));
    for (size_t s = 0; s < tokens.size(); ++s) {
      feeds.push_back({&sequences[s], tokens[s], 1 + i % 2});
      rows += static_cast<int64_t>(tokens[s].size());
    }
    const Expected expected(bench.engine.program(rows));
    const uint64_t read = bytes_of_step(bench, feeds);
    EXPECT_EQ(read, expected.of(rows, called_experts)) << rows << " rows";
  }
  sequences[0].reset();
  const Tokens prompt = timeline(0, 300);
  const uint64_t read = bytes_of_step(bench, {{&sequences[0], prompt}});
  EXPECT_EQ(read, Expected(bench.engine.program(300)).of(300, called_experts));
  EXPECT_LE(read,
            bench.device->weight_bytes() + 300 * Expected(bench.engine.program(300)).embedding_row);
}

// The counter notices: an operation that takes the rows one by one has the same results and reads
// its weights for each of them.
void (*real_linear_add)(const LinearAddArgs&, const Share&) = nullptr;

void read_again_for_each_row(Ops& ops) {
  spy_on_experts(ops);
  real_linear_add = ops.linear_add.work;
  ops.linear_add.work = [](const LinearAddArgs& args, const Share& share) {
    for (int64_t r = 0; r < args.batch.counts->rows; ++r) {
      static constexpr BatchView::Counts kOne{1, 1, 1};
      LinearAddArgs row = args;
      row.batch.counts = &kOne;
      row.x.data = args.x.row(r);
      row.o.data = args.o.row(r);
      real_linear_add(row, share);
    }
  };
}

TEST_P(Weights, AnOperationThatReadsThemForEachRowIsNoticed) {
  Bench bench(GetParam(), best_isa(), options(), read_again_for_each_row);
  Solo solo(GetParam(), best_isa());
  const Expected expected(bench.engine.program(3));
  const Tokens tokens = timeline(0, 3);
  Sequence sequence = bench.engine.new_sequence();
  const uint64_t read = bytes_of_step(bench, {{&sequence, tokens, 3}});
  for (int64_t r = 0; r < 3; ++r)
    EXPECT_TRUE(same_bits(bench.engine.logits(r), solo.logits(tokens)[r]));
  EXPECT_GT(read, expected.of(3, called_experts));
}

INSTANTIATE_TEST_SUITE_P(All, Weights, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
