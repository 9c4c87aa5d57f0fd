// Command lines of users of llama.cpp and ik_llama.cpp, as they stand in reports and scripts: they
// start, and what has nothing to do here is said in one line each.
#include "tools/cli.h"
#include "tools/options.h"
#include "tools/peer_options.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <sstream>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

Strings words_of(const std::string& line) {
  std::istringstream in(line);
  Strings words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

struct Case {
  const char* line;
  Strings notes;  // the options that have nothing to do
};

// What is parsed: the arguments that are left for the command's own options.
void expect_starts(const Case& c, MakeCommand make, const Strings& before) {
  CLI::App app;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const Command command = make(app);
  Strings arguments = before;
  for (const std::string& word : words_of(c.line)) arguments.push_back(word);
  const PeerSpelling spelled = translate_peer_options(*command.options, arguments);
  EXPECT_EQ(wrong_option(*command.options, spelled.arguments), "") << c.line;
  ASSERT_EQ(spelled.notes.size(), c.notes.size()) << c.line;
  for (size_t i = 0; i < c.notes.size(); ++i)
    EXPECT_TRUE(spelled.notes[i].starts_with(c.notes[i] + ": has nothing to do here: "))
        << spelled.notes[i];
  Strings all = spelled.arguments;
  all.insert(all.begin(), command.options->get_name());
  try {
    app.parse(Strings(all.rbegin(), all.rend()));
  } catch (const CLI::ParseError& error) {
    ADD_FAILURE() << c.line << ": " << error.what();
  }
}

TEST(PeerCommandLines, OfPerplexity) {
  const Case cases[] = {
      {"-c 256 -b 64 -ub 64 -ngl 0 --no-warmup --chunks 1", {"-ngl 0", "--no-warmup"}},
      {"-c 256 -b 64 -ub 64 -ngl 1 --chunks 2 -t 8 -fa on", {"-ngl 1", "-fa on"}},
      {"-c 2048 -b 1 -ub 1 -fa on -ngl 47 --n-cpu-moe 40 --chunks 1 --seed 1",
       {"-fa on", "-ngl 47", "--n-cpu-moe 40", "--seed 1"}},
      {"-c 65536 -b 3072 -ub 768 -t 8 -fa on -ngl 999 --n-cpu-moe 47 -rtr",
       {"-fa on", "-ngl 999", "--n-cpu-moe 47", "-rtr"}},
      {"-c 2048 -ctk f16 -ctv f16 -mmp 0 -fdn 16 -ger --merge-qkv -sm graph",
       {"-mmp 0", "-fdn 16", "-ger", "--merge-qkv", "-sm graph"}},
  };
  for (const Case& c : cases)
    expect_starts(c, perplexity_command, {"-m", "model.gguf", "-f", "text.txt"});
}

TEST(PeerCommandLines, OfRun) {
  const Case cases[] = {
      {"-c 65536 -b 3072 -ub 768 -t 8 -fa on -ngl 999 --n-cpu-moe 47 -rtr",
       {"-fa on", "-ngl 999", "--n-cpu-moe 47", "-rtr"}},
      {"-c 8192 -b 3072 -ub 768 -ncmoe 47 -fa 1 -mmp 0", {"-ncmoe 47", "-fa 1", "-mmp 0"}},
      {"-fa 0 -ngl 0 --n-cpu-moe 0 -mmp 0", {"-fa 0", "-ngl 0", "--n-cpu-moe 0", "-mmp 0"}},
      {"-ngl 999 -ncmoe 59 -cram 0 --no-mmap -c 262144 -ctk f16 -ctv f16 -fdn 16",
       {"-ngl 999", "-ncmoe 59", "-cram 0", "--no-mmap", "-fdn 16"}},
      {"-c 135168 -fa on --merge-qkv -ger -sm layer -ngl 99 --threads 1 --n-predict 64 "
       "-ub 2048 -b 2048 --warmup-batch",
       {"-fa on", "--merge-qkv", "-ger", "-sm layer", "-ngl 99", "--warmup-batch"}},
      {"-n 64 --temp 0 --top-p 0.9 --top-k 40 --min-p 0.05 --seed 1 -ot exps=CPU --mlock",
       {"-ot exps=CPU", "--mlock"}},
  };
  for (const Case& c : cases) expect_starts(c, run_command, {"-m", "model.gguf", "-p", "Hello"});
}

TEST(PeerCommandLines, OfBench) {
  const Case cases[] = {
      {"-p 512 -n 128 -ngl 0 -fa 0,1 -t 8 -r 3 -o json", {"-ngl 0", "-fa 0,1"}},
      {"-p 512,2048 -n 0 -ub 512,1024 -b 2048 -mmp 0 -fmoe 0,1 -rtr 1 -thp 0 --n-cpu-moe 47",
       {"-mmp 0", "-fmoe 0,1", "-rtr 1", "-thp 0", "--n-cpu-moe 47"}},
      {"-pg 512,128 -gp 4096,32 -tgb 4,8 -ctk f16 -ctv f16,bf16 -embd 0 -sm layer -ts 1/1 -w 0",
       {"-embd 0", "-sm layer", "-ts 1/1"}},
      {"-d 0,4096 --no-warmup --delay 1 -oe md --prio 2 --progress -v "
       "-mla 0,3 -amb 512 -gr 1 --numa isolate -mqkv 0 -muge 0 -sas 1 -rcache 0 -no-fug 1 -cuda x",
       {"--prio 2", "--progress", "-v", "-mla 0,3", "-amb 512", "-gr 1", "--numa isolate",
        "-mqkv 0", "-muge 0", "-sas 1", "-rcache 0", "-no-fug 1", "-cuda x"}},
  };
  for (const Case& c : cases) expect_starts(c, bench_command, {"-m", "model.gguf"});
}

TEST(PeerCommandLines, OfSweepAndBatchedBench) {
  expect_starts(
      {"-c 135168 -fa on --merge-qkv -ger -sm layer -ngl 99 --threads 1 --n-predict 64 "
       "-ub 2048 -b 2048 --warmup-batch -nrep 2 --minilog --sweep-memory",
       {"-fa on", "--merge-qkv", "-ger", "-sm layer", "-ngl 99", "--minilog", "--sweep-memory"}},
      sweep_command, {"-m", "model.gguf"});
  expect_starts({"-c 16384 -b 2048 -ub 512 -npp 128,256 -ntg 128 -npl 1,2,4 -pps -ngl 99 -fa 1",
                 {"-ngl 99", "-fa 1"}},
                batched_bench_command, {"-m", "model.gguf"});
}

TEST(PeerCommandLines, OfTheServer) {
  const Case cases[] = {
      {"-c 65536 -np 4 --host 0.0.0.0 --port 9000 --api-key k -ngl 99 -fa on --jinja -cb --metrics "
       "--no-webui -cram 2048 -ctk q8_0 -ctv q8_0 -b 2048 -ub 512 -t 8 -tb 16",
       {"-ngl 99", "-fa on", "--jinja", "-cb", "--metrics", "--no-webui", "-cram 2048"}},
      {"--ssl-key-file k.pem --ssl-cert-file c.pem -a name --threads-http 8 -to 600 -n 512 --temp "
       "0.7 --top-k 20 -ctx-ckpt 64 -sps 0.2 --log-format json -v",
       {"-to 600", "-ctx-ckpt 64", "-sps 0.2", "-v"}},
      {"-ngl 999 --cpu-moe --parallel 1 --alias a --api-key-file keys -rtr --mlock --log-disable",
       {"-ngl 999", "--cpu-moe", "-rtr", "--mlock", "--log-disable"}},
  };
  for (const Case& c : cases) expect_starts(c, serve_command, {"-m", "model.gguf"});
  CLI::App app;
  const Command run = run_command(app);  // what is said of the server is not said of others
  const std::vector<std::string> ram = {"-cram", "64"};
  EXPECT_NE(translate_peer_options(*run.options, ram).notes.at(0).find("not kept between runs"),
            std::string::npos);
  CLI::App other;
  const Command serve = serve_command(other);
  EXPECT_NE(translate_peer_options(*serve.options, ram).notes.at(0).find("--snapshot-memory"),
            std::string::npos);
}

TEST(PeerCommandLines, ACacheTypeThatIsNotThereIsAnErrorWithWhatThereIs) {
  static constexpr std::array<MakeCommand, 1> kCommands = {run_command};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_command_line({"run", "-m", "x", "-p", "y", "-ctk", "q4_0"}, kCommands), kUsage);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("Braid has f16, bf16, f32, q8_0"),
            std::string::npos);
}

// A name in the tables that is an option of the command would never be looked up there: fine for
// options that only some commands have, a mistake where every command has it.
TEST(PeerCommandLines, NoOptionOfAllCommandsIsInTheTables) {
  std::set<std::string> common;
  for (const MakeCommand make : {perplexity_command, run_command}) {
    CLI::App app;
    const Command command = make(app);
    std::set<std::string> names;
    for (const PeerOption& option : peer_options())
      if (command.options->get_option_no_throw(std::string(option.name)) != nullptr)
        names.insert(std::string(option.name));
    if (common.empty())
      common = names;
    else
      std::erase_if(common, [&](const std::string& name) { return !names.contains(name); });
  }
  for (const std::string& name : common)
    EXPECT_TRUE(name == "-b" || name == "--batch-size") << name;
}

}  // namespace
}  // namespace braid
