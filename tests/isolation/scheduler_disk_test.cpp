// A restart goes on where the conversations were, and gives the same bits as if it had not been.
#include "engine/state_key.h"
#include "format/fingerprint.h"
#include "state/disk_test_support.h"
#include "tests/isolation/scheduler_support.h"

#include <algorithm>

namespace braid::isolation {
namespace {

using disk_test::Folder;

SchedulerOptions with_disk(const Folder& folder) {
  SchedulerOptions options;
  options.disk.folder = folder.path();
  options.disk.key = "a small model";
  options.disk.run_tokens = 64;
  return options;
}

class SchedulerDisk : public testing::TestWithParam<Setup> {};

TEST_P(SchedulerDisk, ARestartGoesOnWhereItWas) {
  const Folder folder;
  Tokens talk = timeline(0, 150);
  std::vector<int64_t> messages;
  Tokens asked;
  for (int life = 0; life < 3; ++life) {
    House house(GetParam(), engine_options(), with_disk(folder));
    for (int turn = 0; turn < 2; ++turn) {
      const auto known = static_cast<int64_t>(talk.size());
      if (life + turn > 0) talk = joined(talk, timeline(10 * life + turn, 25));
      Request r = request_of(talk, 12, life + turn);
      r.end_tokens.clear();
      r.messages = messages;
      asked = talk;
      auto answer = house.ask(std::move(r));
      ASSERT_TRUE(house.as_alone(*answer));
      // The last token of an answer has not run.
      EXPECT_EQ(answer->wait().cached.usable, life + turn > 0 ? known - 1 : 0);
      EXPECT_EQ(answer->wait().cached.from_disk, life > 0 && turn == 0);
      messages.push_back(static_cast<int64_t>(talk.size()));
      talk = joined(talk, answer->wait().tokens);
    }
    // Once more, and another question in its place.
    auto again = house.ask(request_of(asked, 5, 77));
    auto other =
        house.ask(request_of(joined(part(asked, 0, messages.back()), timeline(50, 9)), 5, 1));
    EXPECT_TRUE(house.as_alone(*again));
    EXPECT_TRUE(house.as_alone(*other));
    EXPECT_EQ(again->wait().prompt_rows, 1);
    house.scheduler->shut_down(0);
    const SchedulerStats stats = house.scheduler->stats();
    EXPECT_GT(stats.disk.saved, 0);
    EXPECT_EQ(stats.disk.loaded, life > 0);
    EXPECT_EQ(stats.disk_tokens > 0, life > 0);
    EXPECT_EQ(stats.disk.trouble, "");
    EXPECT_EQ(stats.disk.bytes, folder.bytes());
  }
}

// Several at once for the same: it is read once.
TEST_P(SchedulerDisk, WhatManyAskForIsReadOnce) {
  const Folder folder;
  const Tokens prompt = timeline(0, 300), other = timeline(1, 200);
  {
    House house(GetParam(), engine_options(), with_disk(folder));
    for (const Tokens& p : {prompt, other}) house.ask(request_of(p, 3, 1))->wait();
  }
  House house(GetParam(), engine_options(), with_disk(folder));
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < 9; ++i)
    answers.push_back(house.ask(request_of(i % 3 ? prompt : other, 9, i)));
  auto unknown = house.ask(request_of(timeline(5, 100), 9, 0));
  for (auto& answer : answers) {
    EXPECT_TRUE(house.as_alone(*answer));
    EXPECT_EQ(answer->wait().prompt_rows, 1);
  }
  EXPECT_TRUE(house.as_alone(*unknown));
  house.scheduler->shut_down(0);
  EXPECT_EQ(house.scheduler->stats().disk.loaded, 2);
}

// Traffic with little memory and little disk, through several restarts.
TEST_P(SchedulerDisk, TrafficThroughRestarts) {
  const Folder folder;
  SchedulerOptions options = with_disk(folder);
  int64_t loaded = 0;
  for (const int pages : {40, 8, 6, 40}) {
    House house(GetParam(), engine_options(4, pages), options);
    play_traffic(house, kSmall ? 12 : 24, 5);
    house.scheduler->shut_down(0);
    const SchedulerStats stats = house.scheduler->stats();
    EXPECT_EQ(stats.failed, 0);
    EXPECT_EQ(stats.disk.trouble, "");
    EXPECT_LE(stats.disk.bytes, options.disk.bytes);
    loaded += stats.disk.loaded;
    options.disk.bytes = std::max<size_t>(folder.bytes() / 2, 200000);
    options.prefix.snapshot_bytes = stats.prefix.snapshot_bytes / 3 + 100000;
  }
  EXPECT_GT(loaded, 0);
}

TEST(SchedulerDiskFaults, DamageCostsTimeAlone) {
  const Tokens prompt = timeline(0, 300);
  for (int round = 0; round < 6; ++round) {
    const Folder folder;
    {
      House house(kPlain, engine_options(), with_disk(folder));
      house.ask(request_of(prompt, 3, 1))->wait();
    }
    House house(kPlain, engine_options(), with_disk(folder));
    for (const auto& file : folder.files(round % 2 ? ".run" : ".state"))
      disk_test::flip(file, 300 + 1000 * static_cast<size_t>(round));
    auto answer = house.ask(request_of(prompt, 9, 1));
    EXPECT_TRUE(house.as_alone(*answer));
    EXPECT_EQ(answer->wait().cached.usable, 0);
    house.scheduler->shut_down(0);
    EXPECT_GE(house.scheduler->stats().disk.damaged, 1);
    EXPECT_EQ(house.scheduler->stats().failed, 0);
  }
}

// Reads that wait behind one another: a cancelled one takes nothing from who comes after it.
TEST(SchedulerDiskFaults, CancelledReadsAreNobodyElses) {
  const Folder folder;
  const std::array<Tokens, 3> prompts = {timeline(0, 300), timeline(1, 300), timeline(2, 300)};
  {
    House house(kPlain, engine_options(), with_disk(folder));
    for (const Tokens& prompt : prompts) house.ask(request_of(prompt, 3, 1))->wait();
  }
  std::promise<void> reported, go_on;
  SchedulerOptions options = with_disk(folder);
  options.disk.report = [&, first = true](const std::string&) mutable {
    if (!std::exchange(first, false)) return;
    reported.set_value();
    go_on.get_future().wait();  // holds up the disk's thread
  };
  House house(kPlain, engine_options(), options);
  const auto waits = [&] {
    while (house.scheduler->stats().waiting == 0) std::this_thread::yield();
  };
  const auto cancel = [&](Answer& answer) {
    house.scheduler->cancel(answer.id);
    EXPECT_EQ(answer.wait().reason, EndReason::kCancelled);
    while (house.scheduler->stats().waiting != 0) std::this_thread::yield();
  };
  const auto damage = [&] {  // or, once more, mend
    for (const auto& file : folder.files(".state"))
      disk_test::flip(file, disk_test::contents(file).size() - 1);
  };
  damage();
  auto damaged = house.ask(request_of(prompts[0], 3, 1));
  reported.get_future().wait();
  cancel(*damaged);
  damage();
  auto second = house.ask(request_of(prompts[1], 3, 1));
  waits();
  cancel(*second);
  auto third = house.ask(request_of(prompts[2], 3, 1));
  waits();
  go_on.set_value();
  auto ended = third->ended.get_future();
  const bool came = ended.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  if (!came) house.scheduler->cancel(third->id);
  third->outcome = ended.get();
  EXPECT_TRUE(came) << "its read was lost";
  EXPECT_TRUE(house.as_alone(*third));
  EXPECT_EQ(third->wait().prompt_rows, 1);
  house.scheduler->shut_down(0);
  EXPECT_EQ(house.scheduler->stats().disk.loaded, 1);  // what was cancelled is left out
}

TEST(SchedulerDiskFaults, AFolderThatCannotBeUsedIsRefused) {
  const Folder folder;
  House house(kPlain, engine_options(), with_disk(folder));
  EXPECT_THROW(House(kPlain, engine_options(), with_disk(folder)), Error);
}

std::string key_of(const Setup& setup, const std::string& isa, const char* program = "1",
                   const EngineOptions& options = engine_options()) {
  const Bench bench(setup, isa, options);
  return state_key(bench.engine, fingerprint(model_file(setup.model)), program);
}

// What changes bits is in the key, and nothing else.
TEST(StateKey, NamesWhatChangesBits) {
  const std::string key = key_of(kPlain, best_isa());
  EXPECT_EQ(key, key_of({"qwen3next", DType::F16, 3}, best_isa()));
  EXPECT_EQ(key, key_of(kPlain, best_isa(), "1", engine_options(2, 20)));
  EXPECT_NE(key, key_of(kPlain, best_isa(), "2"));
  EXPECT_NE(key, key_of({"qwen3next", DType::F32, 1}, best_isa()));
  EXPECT_NE(key, key_of({"qwen35moe", DType::F16, 1}, best_isa()));
  EXPECT_NE(key, key_of(kPlain, "portable"));
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerDisk, testing::ValuesIn(few_setups()), name_of);

}  // namespace
}  // namespace braid::isolation
