// braid bench on the demo model: the plan, every format, what is counted, every error.
#include "format/test_files.h"
#include "tools/bench_model.h"
#include "tools/bench_plan.h"
#include "tools/command_test_support.h"
#include "tools/number_statistics.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace braid {
namespace {

using test::kDemoModel;
using test::lines_of;
using test::Outcome;

Outcome bench(std::vector<std::string> arguments, bool probe = false) {
  arguments.insert(arguments.begin(), {"bench", "-m", kDemoModel, "-t", "1", "-r", "1"});
  if (!probe) arguments.emplace_back("--no-probe");
  return test::run_command(bench_command, arguments);
}

nlohmann::json bench_json(std::vector<std::string> arguments, bool probe = false) {
  arguments.insert(arguments.end(), {"-o", "json"});
  const Outcome outcome = bench(std::move(arguments), probe);
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

std::string labels(const BenchOptions& options) {
  std::string text;
  for (const BenchCase& c : bench_plan(options)) text += c.test.label() + "; ";
  return text;
}

TEST(BenchPlan, TestsOfEachKind) {
  EXPECT_EQ(labels({}), "pp512; tg128; ");
  BenchOptions o;
  o.prompt = {16, 0};
  o.generate = {0};
  o.prompt_generate = {{8, 2}};
  o.generate_after = {{8, 2}};
  o.depth = {0, 64};
  EXPECT_EQ(labels(o), "pp16; pp8+tg2; tg2@pp8; pp16 @ d64; pp8+tg2 @ d64; tg2@pp8 @ d64; ");
  for (const BenchCase& c : bench_plan(o)) EXPECT_EQ(c.context, 80);
  const std::vector<BenchCase> plan = bench_plan(o);
  EXPECT_EQ(plan[1].test.timed(), 10);
  EXPECT_EQ(plan[2].test.timed(), 2);
  EXPECT_EQ(plan[2].test.untimed(), 8);
  EXPECT_EQ(plan[4].test.untimed(), 64);
}

TEST(BenchPlan, EveryCombination) {
  BenchOptions o;
  o.prompt = {16};
  o.models = {"a", "b"};
  o.ubatch = {64, 128};
  o.batch = {256, 512};
  o.key_types = {"f16", "f32"};
  o.value_types = {"f16", "bf16"};
  o.threads = {1, 2};
  o.threads_generate_batch = {{3, 4}};
  const std::vector<BenchCase> plan = bench_plan(o);
  EXPECT_EQ(plan.size(), 2u * 2 * 2 * 2 * 2 * 3 * 2);
  EXPECT_EQ(plan[4].test.kind, BenchKind::kPrompt);
  EXPECT_EQ(plan[4].threads_generate, 3);
  EXPECT_EQ(plan[4].threads_batch, 4);
  EXPECT_TRUE(plan[4].same_engine(plan[5]));
}

TEST(Bench, ThreadsForGeneratingAndForPrompts) {
  std::map<std::string, nlohmann::json> rows;  // those of -tgb
  for (const auto& row :
       bench_json({"-p", "8", "-n", "2", "-pg", "8,2", "-tgb", "3,4", "-r", "1"}, true))
    if (row["n_threads"] > 2) rows[row["test"]] = row;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows["pp8"]["n_threads"], 4);
  EXPECT_EQ(rows["tg2"]["n_threads"], 3);
  EXPECT_EQ(rows["pp8+tg2"]["n_threads"], 3);
  EXPECT_FALSE(rows["tg2"]["busy_ns"].is_null());
  EXPECT_TRUE(rows["pp8+tg2"]["busy_ns"].is_null()) << "two numbers of threads have no mean";
}

TEST(Bench, JsonHasThePeersKeysAndOurs) {
  const auto rows = bench_json({"-p", "24", "-n", "3", "-r", "2"}, true);
  ASSERT_EQ(rows.size(), 2u);
  for (const char* key : {"build_commit",
                          "cpu_info",
                          "gpu_info",
                          "backends",
                          "model_filename",
                          "model_type",
                          "model_size",
                          "model_n_params",
                          "n_batch",
                          "n_ubatch",
                          "n_threads",
                          "type_k",
                          "type_v",
                          "n_gpu_layers",
                          "n_prompt",
                          "n_gen",
                          "n_depth",
                          "test_time",
                          "avg_ns",
                          "stddev_ns",
                          "avg_ts",
                          "stddev_ts",
                          "samples_ns",
                          "samples_ts",
                          "read_bandwidth",
                          "read_share",
                          "int8_peak",
                          "peak_share",
                          "tokens_per_called_expert",
                          "bytes_read",
                          "barriers_per_step",
                          "busy_ns",
                          "waiting_ns"})
    EXPECT_TRUE(rows[0].contains(key)) << key;
  EXPECT_EQ(rows[0]["n_prompt"], 24);
  EXPECT_EQ(rows[0]["n_gen"], 0);
  EXPECT_EQ(rows[1]["n_prompt"], 0);
  EXPECT_EQ(rows[1]["n_gen"], 3);
  EXPECT_EQ(rows[0]["n_threads"], 1);
  EXPECT_EQ(rows[0]["type_k"], "f16");
  EXPECT_EQ(rows[0]["model_filename"], kDemoModel);
  for (const auto& row : rows) {
    const auto tokens = row["n_prompt"].get<double>() + row["n_gen"].get<double>();
    ASSERT_EQ(row["samples_ns"].size(), 2u);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_NEAR(row["samples_ts"][i].get<double>() * row["samples_ns"][i].get<double>() / 1e9,
                  tokens, tokens * 1e-3);
    EXPECT_NEAR(row["avg_ts"].get<double>(),
                (row["samples_ts"][0].get<double>() + row["samples_ts"][1].get<double>()) / 2,
                1e-6);
    EXPECT_GT(row["read_bandwidth"], 1e8);
    EXPECT_GT(row["read_share"], 0.0);
    size_t parts = 0;
    for (const auto& [part, bytes] : row["bytes_read"].items())
      if (part != "total") parts += bytes.get<size_t>();
    EXPECT_NEAR(static_cast<double>(parts), row["bytes_read"]["total"].get<double>(), 16);
  }
  for (const auto& row : rows) {  // one thread waits for nobody, and works nearly all the time
    double busy = 0, waiting = 0;
    for (const auto& [part, time] : row["busy_ns"].items()) busy += time.get<double>();
    for (const auto& [part, time] : row["waiting_ns"].items()) waiting += time.get<double>();
    EXPECT_LE(busy + waiting, row["avg_ns"].get<double>());
    EXPECT_GT(busy + waiting, 0.5 * row["avg_ns"].get<double>());
    EXPECT_LT(waiting, 0.1 * busy);
    EXPECT_GT(row["busy_ns"]["experts"], 0);
  }
  EXPECT_GE(rows[1]["barriers_per_step"], 8) << "an operation takes one at least";
  // A decoded token calls each of its experts alone; 24 tokens share some.
  EXPECT_EQ(rows[1]["tokens_per_called_expert"], 1.0);
  EXPECT_GT(rows[0]["tokens_per_called_expert"], 1.0);
  // The head once a prompt, and once a generated token.
  EXPECT_EQ(rows[1]["bytes_read"]["head"].get<size_t>(),
            3 * rows[0]["bytes_read"]["head"].get<size_t>());
}

TEST(Bench, SharesAreAbsentWhenNothingIsMeasured) {
  const auto row = bench_json({"-p", "8", "-n", "0"})[0];
  for (const char* key : {"read_bandwidth", "read_share", "int8_peak", "peak_share"})
    EXPECT_TRUE(row[key].is_null()) << key;
  EXPECT_GT(row["matmul_ops"], 0.0);
}

TEST(Bench, DepthIsFilledAndNotTimed) {
  const auto rows = bench_json({"-p", "0", "-n", "2", "-d", "0,100", "-gp", "100,2"});
  ASSERT_EQ(rows.size(), 4u);
  const auto kv = [&](size_t row) { return rows[row]["bytes_read"]["kv"].get<size_t>(); };
  const size_t per_token = kv(0) / 3;  // 1 and 2 positions
  EXPECT_EQ(kv(0), 3 * per_token);
  EXPECT_EQ(rows[1]["test"], "tg2@pp100");
  EXPECT_EQ(kv(1), (101 + 102) * per_token);
  EXPECT_EQ(rows[2]["test"], "tg2 @ d100");
  EXPECT_EQ(kv(2), (101 + 102) * per_token);
  EXPECT_EQ(rows[3]["n_depth"], 100);
  EXPECT_EQ(kv(3), (201 + 202) * per_token);
}

TEST(Bench, Formats) {
  const std::vector<std::string> few = {"-p", "8,9", "-n", "0", "-ub", "4"};
  const auto as = [&](const char* format) {
    std::vector<std::string> arguments = few;
    arguments.insert(arguments.end(), {"-o", format});
    const Outcome outcome = bench(arguments);
    EXPECT_EQ(outcome.code, kDone) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return outcome.out;
  };
  const auto jsonl = lines_of(as("jsonl"));
  ASSERT_EQ(jsonl.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(jsonl[1])["n_prompt"], 9);

  const auto csv = lines_of(as("csv"));
  ASSERT_EQ(csv.size(), 3u);
  EXPECT_TRUE(csv[0].starts_with("build_commit,")) << csv[0];
  EXPECT_NE(csv[0].find(",avg_ts,stddev_ts,"), std::string::npos);
  for (const std::string& line : csv)
    EXPECT_EQ(std::count(line.begin(), line.end(), ','),
              std::count(csv[0].begin(), csv[0].end(), ','));

  const auto sql = lines_of(as("sql"));
  EXPECT_EQ(sql[0], "CREATE TABLE IF NOT EXISTS braid_bench (");
  EXPECT_TRUE(sql.back().starts_with("INSERT INTO braid_bench (build_commit, "));
  EXPECT_TRUE(sql.back().ends_with(");"));

  const auto md = lines_of(as("md"));
  EXPECT_TRUE(md[0].starts_with("| model ")) << md[0];
  EXPECT_TRUE(md[0].ends_with("|                  t/s |")) << md[0];
  EXPECT_NE(md[0].find("| n_ubatch |"), std::string::npos);
  EXPECT_EQ(md[0].find("n_batch |"), std::string::npos);  // as usual: no column
  EXPECT_NE(md[2].find("|             pp8 |"), std::string::npos) << md[2];
  for (size_t row = 1; row < 4; ++row)  // "±" has two bytes
    EXPECT_EQ(md[row].size() - (row > 1), md[0].size()) << md[row];

  EXPECT_EQ(as("none"), "");
}

TEST(Bench, QuotesInNamesAreDoubled) {
  const test::TemporaryFolder folder;
  const std::string odd = folder / "it's \"odd\".gguf";
  std::filesystem::create_symlink(std::filesystem::absolute(kDemoModel), odd);
  const auto as = [&](const char* format) {
    return test::run_command(bench_command, {"bench", "-m", odd, "-p", "4", "-n", "0", "-r", "1",
                                             "-t", "1", "--no-probe", "-o", format})
        .out;
  };
  EXPECT_NE(as("csv").find("it's \"\"odd\"\".gguf\""), std::string::npos);
  EXPECT_NE(as("sql").find("it''s \"odd\".gguf'"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(as("jsonl"))["model_filename"], odd);
}

TEST(Bench, AReportOnStderrAsWell) {
  const Outcome outcome = bench({"-p", "8", "-n", "0", "-o", "jsonl", "-oe", "csv"});
  EXPECT_EQ(lines_of(outcome.out).size(), 1u);
  EXPECT_TRUE(outcome.err.starts_with("build_commit,")) << outcome.err;
}

TEST(Bench, Errors) {
  const auto wrong = [](std::vector<std::string> arguments, int code, const char* part) {
    test::expect_one_line(bench(std::move(arguments)), code, part);
  };
  wrong({"-p", "x"}, kUsage, "\"x\" is no whole number");
  wrong({"-p", "-1"}, kUsage, "-1 is not between 0 and");
  wrong({"-pg", "512"}, kUsage, "no pair of numbers such as 512,128");
  wrong({"-o", "xml"}, kUsage, "--output");
  wrong({"-r", "0"}, kUsage, "--repetitions");
  wrong({"-w", "2"}, kUsage, "--warmup");
  wrong({"-ub", "0"}, kUsage, "0 is not between 1 and 65536");
  wrong({"-ctk", "f16,q3_k"}, kUsage, "keys and values cannot be kept as \"q3_k\"");
  wrong({"-ser", "4,1"}, kUsage, "every expert that the router chooses");
  wrong({"--promt", "3"}, kUsage, "there is no option --promt");
  wrong({"-p", "0", "-n", "0"}, kFailed, "nothing to measure");
  wrong({"-m", "none.gguf", "-m", ""}, kUsage, "empty entry");
  wrong({"--isa", "avx1024"}, kFailed, "--isa avx1024");
  wrong({"--device", "gpu"}, kFailed, "gpu");
  const Outcome missing =
      test::run_command(bench_command, {"bench", "-m", "none.gguf", "-o", "json", "--no-probe"});
  test::expect_one_line(missing, kFailed, "none.gguf");
}

TEST(Bench, WhatPeersSteerIsSaid) {
  const Outcome outcome = bench({"-p", "8", "-n", "0", "-o", "jsonl", "-ngl", "99", "-rtr", "0,1",
                                 "-mmp", "0", "-embd", "0", "-fa", "1"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(lines_of(outcome.out).size(), 1u);
  EXPECT_EQ(lines_of(outcome.err).size(), 5u) << outcome.err;
}

TEST(RandomTokens, EveryTokenIsDrawnAboutAsOften) {
  RandomTokens random(50, 7);
  std::vector<int> drawn(50);
  int repeated = 0;
  int32_t before = -1;
  for (const int32_t token : random.next(50000)) {
    ASSERT_TRUE(token >= 0 && token < 50);
    ++drawn[static_cast<size_t>(token)];
    repeated += token == before;
    before = token;
  }
  for (const int n : drawn) EXPECT_NEAR(n, 1000, 160);
  EXPECT_NEAR(repeated, 1000, 160);
  EXPECT_EQ(RandomTokens(50, 7).next(9), RandomTokens(50, 7).next(9));
  EXPECT_NE(RandomTokens(50, 7).next(9), RandomTokens(50, 8).next(9));
}

TEST(StepMeter, PromptsAreCutLikeThePeers) {
  DeviceChoice device;
  device.options.threads = 1;
  BenchModel model(kDemoModel, device, {.context = 256, .ubatch = 16});
  StepMeter meter(model);
  RandomTokens random(model.engine().spec().vocabulary, 1);
  Sequence sequence = model.engine().new_sequence();
  const std::vector<int32_t> tokens = random.next(40);
  StepCost cost;
  meter.prompt(sequence, tokens, 24, cost);  // 16 + 8, 16
  EXPECT_EQ(cost.steps, 3);
  EXPECT_EQ(cost.rows, 40);
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), sequence.tokens().begin()));
  EXPECT_GT(cost.seconds, 0);

  // Logits once a piece: with pieces of 16 there is one more.
  StepCost other;
  sequence.reset();
  meter.prompt(sequence, tokens, 16, other);  // 16, 16, 8
  const auto head = [](const StepCost& c) { return c.counted[kOpNames.size() - 1].weight_bytes; };
  EXPECT_EQ(head(other) * 2, head(cost) * 3);
  EXPECT_GT(other.matmul_ops, cost.matmul_ops);

  // What the operations count is what the device counts in all.
  const uint64_t before = model.engine().device().weight_bytes_read();
  StepCost one;
  meter.generate(sequence, random.next(2), one);
  uint64_t sum = 0;
  for (const Counters& c : one.counted) sum += c.weight_bytes;
  EXPECT_EQ(sum, model.engine().device().weight_bytes_read() - before);
  EXPECT_EQ(one.counted_in_all().expert_calls, one.counted_in_all().experts_called);
  EXPECT_GT(one.counted_in_all().expert_calls, 0u);
  EXPECT_EQ(one.steps, 2);
}

TEST(StepMeter, TheReferenceCountsTheSameCalls) {
  StepCost costs[2];
  for (int i = 0; i < 2; ++i) {
    DeviceChoice device{i == 0 ? "cpu" : "ref", {}};
    device.options.threads = 1;
    BenchModel model(kDemoModel, device, {.context = 64, .ubatch = 16});
    Sequence sequence = model.engine().new_sequence();
    RandomTokens random(model.engine().spec().vocabulary, 3);
    StepMeter(model).prompt(sequence, random.next(12), 16, costs[i]);
  }
  EXPECT_GT(costs[0].counted_in_all().experts_called, 0u);
  EXPECT_EQ(costs[0].counted_in_all().expert_calls, costs[1].counted_in_all().expert_calls);
  EXPECT_NEAR(static_cast<double>(costs[0].counted_in_all().experts_called),
              static_cast<double>(costs[1].counted_in_all().experts_called), 2);
}

TEST(Statistics, OfASample) {
  const Statistics s = statistics({1, 2, 3, 4});
  EXPECT_DOUBLE_EQ(s.mean, 2.5);
  EXPECT_NEAR(s.deviation, 1.2909944487, 1e-9);
  EXPECT_EQ(statistics({5}).deviation, 0);
  EXPECT_EQ(statistics({}).mean, 0);
}

}  // namespace
}  // namespace braid
