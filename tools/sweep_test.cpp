// braid sweep and braid batched-bench on the demo model, and the picture.
#include "tools/sweep.h"

#include "format/test_files.h"
#include "tools/command_test_support.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>

namespace braid {
namespace {

using test::kDemoModel;
using test::lines_of;
using test::Outcome;

Outcome sweep(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"sweep", "-m", kDemoModel, "-t", "1"});
  return test::run_command(sweep_command, arguments);
}

std::vector<nlohmann::json> json_lines(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  std::vector<nlohmann::json> out;
  for (const std::string& line : lines_of(outcome.out)) out.push_back(nlohmann::json::parse(line));
  return out;
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Sweep, TheTableIsThePeers) {
  const Outcome outcome =
      sweep({"-c", "100", "-ub", "32", "-n", "4", "-wb", "--output-format", "table"});
  ASSERT_EQ(outcome.code, kDone) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 5u) << outcome.out;  // 0, 32, 64: another 32 would not fit
  EXPECT_EQ(lines[0], "|    PP |     TG |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |");
  EXPECT_EQ(lines[1], "|-------|--------|--------|----------|----------|----------|----------|");
  EXPECT_TRUE(lines[4].starts_with("|    32 |      4 |     64 | ")) << lines[4];
}

TEST(Sweep, LinesOfJson) {
  const auto lines =
      json_lines(sweep({"-c", "128", "-ub", "16", "-nrep", "2", "--sweep-stride", "3",
                        "--output-format", "jsonl", "-b", "64", "-ctk", "f32"}));
  std::vector<int64_t> depths;
  for (const auto& line : lines) {
    depths.push_back(line["n_kv"]);
    EXPECT_EQ(line["pp"], 16);
    EXPECT_EQ(line["tg"], 4);  // a quarter of -ub
    EXPECT_EQ(line["n_kv_max"], 128);
    EXPECT_EQ(line["n_batch"], 64);
    EXPECT_NEAR(line["speed_pp"].get<double>() * line["t_pp"].get<double>(), 16, 1e-9);
    EXPECT_NEAR(line["speed_tg"].get<double>() * line["t_tg"].get<double>(), 4, 1e-9);
  }
  EXPECT_EQ(depths, (std::vector<int64_t>{0, 0, 48, 96}));
}

TEST(Sweep, SeveralRunsInOnePicture) {
  const test::TemporaryFolder folder;
  const std::string peer =
      folder.write("a<b.jsonl",
                   "main: n_kv_max = 4096\n"
                   R"({"n_kv": 0, "pp": 512, "tg": 128, "speed_pp": 400.5, "speed_tg": 50.25})"
                   "\n"
                   R"({"n_kv": 512, "pp": 512, "tg": 128, "speed_pp": 380, "speed_tg": 48})"
                   "\n");
  const SweepRun run = read_sweep(peer);
  EXPECT_EQ(run.name, "a<b");
  ASSERT_EQ(run.points.size(), 2u);
  EXPECT_NEAR(run.points[0].speed_pp(), 400.5, 1e-9);
  EXPECT_NEAR(run.points[1].speed_tg(), 48, 1e-9);
  EXPECT_EQ(run.points[1].n_kv, 512);

  const std::string plot = folder / "speed.svg";
  const Outcome outcome =
      sweep({"-c", "64", "-ub", "32", "-n", "2", "--plot", plot, "--plot-with", peer});
  ASSERT_EQ(outcome.code, kDone) << outcome.err;
  const std::string svg = text_of_file(plot);
  const auto count = [&](const std::string& part) {
    size_t n = 0;
    for (size_t at = svg.find(part); at != std::string::npos; at = svg.find(part, at + 1)) ++n;
    return n;
  };
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg;
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_EQ(count("<polyline "), 4u);  // two runs in two panels
  EXPECT_EQ(count("<circle "), 8u);
  EXPECT_EQ(count("a<b"), 0u);
  EXPECT_NE(count("a&lt;b"), 0u);
  EXPECT_NE(count("400.50 t/s at 0"), 0u);

  EXPECT_EQ(sweep({"--only-plot", "--plot", plot, "--plot-with", peer}).out, "");
  EXPECT_NE(text_of_file(plot), svg);
}

TEST(SweepPicture, HigherIsFasterAndDeeperIsRight) {
  const std::string svg = sweep_svg({{"one", {{0, 100, 10, 1, 1}, {1000, 100, 10, 2, 4}}}});
  // 100 and 50 t/s: the second point lies lower, which is a larger y.
  const size_t at = svg.find("<polyline points=\"") + 18;
  double x[2], y[2];
  ASSERT_EQ(std::sscanf(svg.c_str() + at, "%lf,%lf %lf,%lf", &x[0], &y[0], &x[1], &y[1]), 4);
  EXPECT_LT(x[0], x[1]);
  EXPECT_LT(y[0], y[1]);
  EXPECT_NEAR((264 - y[0]) / (264 - y[1]), 2, 0.02);  // 264: where 0 is
}

TEST(Sweep, Errors) {
  const test::TemporaryFolder folder;
  const auto wrong = [](std::vector<std::string> arguments, int code, const char* part) {
    test::expect_one_line(sweep(std::move(arguments)), code, part);
  };
  wrong({"-c", "16", "-n", "32"}, kFailed, "not even one row");
  wrong({"--plot-with", "x"}, kFailed, "--plot-with needs --plot");
  wrong({"--only-plot"}, kFailed, "--only-plot needs --plot");
  wrong({"--only-plot", "--plot", "x"}, kFailed, "measures nothing");
  wrong({"--only-plot", "--plot", folder / "x", "--plot-with", folder.write("y", "no json\n[1]\n")},
        kFailed, "no line of it is a measurement");
  wrong({"--only-plot", "--plot", folder / "no/x", "--plot-with",
         folder.write("z", R"({"n_kv": 0, "pp": 1, "tg": 1, "speed_pp": 1, "speed_tg": 1})")},
        kFailed, "cannot be written");
  wrong({"--output-format", "csv"}, kUsage, "--output-format");
  wrong({"--sweep-stride", "0"}, kUsage, "--sweep-stride");
}

Outcome batched(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"batched-bench", "-m", kDemoModel, "-t", "1"});
  return test::run_command(batched_bench_command, arguments);
}

TEST(BatchedBench, TheTableIsThePeers) {
  const Outcome outcome = batched({"-npp", "20,8", "-ntg", "3", "-npl", "1,5", "-ub", "16"});
  ASSERT_EQ(outcome.code, kDone) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(
      lines[0],
      "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s "
      "|    S t/s |");
  EXPECT_EQ(lines[0].size(), lines[1].size());
  EXPECT_TRUE(lines[3].starts_with("|    20 |      3 |    5 |    115 | ")) << lines[3];
  EXPECT_TRUE(lines[4].starts_with("|     8 |      3 |    1 |     11 | ")) << lines[4];
}

TEST(BatchedBench, LinesOfJson) {
  const auto lines =
      json_lines(batched({"-npp", "16", "-ntg", "2", "-npl", "2,4", "--output-format", "jsonl"}));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["n_kv"], 4 * 18);
  EXPECT_NEAR(lines[1]["speed_pp"].get<double>() * lines[1]["t_pp"].get<double>(), 64, 1e-6);
  EXPECT_NEAR(lines[1]["speed_tg"].get<double>() * lines[1]["t_tg"].get<double>(), 8, 1e-6);
  EXPECT_GT(lines[1]["read_share_tg"], 0.0);
  EXPECT_GT(lines[1]["tokens_per_called_expert_tg"], lines[0]["tokens_per_called_expert_tg"]);

  const auto shared = json_lines(batched(
      {"-npp", "16", "-ntg", "2", "-npl", "4", "-pps", "--no-probe", "--output-format", "jsonl"}));
  ASSERT_EQ(shared.size(), 1u);
  EXPECT_EQ(shared[0]["n_kv"], 16 + 8);
  EXPECT_EQ(shared[0]["is_pp_shared"], 1);
  EXPECT_NEAR(shared[0]["speed_pp"].get<double>() * shared[0]["t_pp"].get<double>(), 16, 1e-6);
  EXPECT_TRUE(shared[0]["read_share_tg"].is_null());
}

TEST(BatchedBench, WhatDoesNotFitIsSaid) {
  const Outcome some = batched({"-npp", "8", "-ntg", "2", "-npl", "1,8", "-c", "40"});
  EXPECT_EQ(some.code, kDone);
  EXPECT_EQ(lines_of(some.out).size(), 3u);
  EXPECT_NE(some.err.find("left out: 8 tokens read, 2 generated, 8 sequences: needs 80"),
            std::string::npos)
      << some.err;
  const Outcome none = batched({"-npp", "80", "-ntg", "2", "-npl", "1", "-c", "40"});
  EXPECT_EQ(none.code, kFailed);
  EXPECT_EQ(none.out, "");
  EXPECT_NE(none.err.find("nothing that was asked for fits"), std::string::npos);
  test::expect_one_line(batched({"-npl", "0"}), kUsage, "0 is not between 1 and 4096");
}

}  // namespace
}  // namespace braid
