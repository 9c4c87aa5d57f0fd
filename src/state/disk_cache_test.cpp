#include "state/disk_cache.h"

#include "state/disk_test_support.h"
#include "state/prefix_saver.h"
#include "state/state_test_support.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <future>
#include <random>

namespace braid {
namespace {

using namespace disk_test;
using namespace state_test;
using Tokens = std::vector<int32_t>;

Tokens joined(std::span<const int32_t> a, std::span<const int32_t> b) {
  Tokens all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

DiskCacheOptions options_of(const Folder& folder, std::string key = "a model") {
  DiskCacheOptions o;
  o.folder = folder.path();
  o.key = std::move(key);
  o.run_tokens = 64;
  o.realms = {{1, "one"}, {2, "two"}};
  return o;
}

// A process, from its start to its end.
struct Process {
  explicit Process(DiskCacheOptions options, PrefixTreeOptions prefix = {})
      : pool(device, small_spec(), {.slots = 3, .pages = 64, .key_type = DType::F32}),
        tree(pool, prefix) {
    auto told = std::move(options.report);
    options.report = [this, told](const std::string& what) {
      reports.push_back(what);
      if (told) told(what);
    };
    cache.emplace(pool, std::move(options), nullptr);
    saver.emplace(tree, *cache);
  }

  void converse(const Tokens& prompt, int realm = 0) {
    PrefixMatch match;
    Sequence sequence = tree.start(prompt, match, realm);
    step(sequence, std::span(prompt).subspan(static_cast<size_t>(sequence.length())));
    tree.store(sequence, sequence.length(), Mark::kEnd, true, realm);
  }
  void save() { save_what_is_worth(0); }
  void save_what_is_worth(double tokens) {
    for (;;) {
      const bool idle = cache->idle();  // asked first: it may become so
      if (!saver->some(tokens) && idle) return;
      std::this_thread::yield();
    }
  }
  // How many tokens of the prompt are on the disk, and are what they should be.
  int64_t restored(const Tokens& prompt, int realm = 0) {
    const DiskIndex::Found found = cache->find(realm, prompt);
    if (found.id == 0) return 0;
    std::promise<std::unique_ptr<DiskState>> promise;
    cache->load(found.id, {},
                [&](std::unique_ptr<DiskState> s) { promise.set_value(std::move(s)); });
    const std::unique_ptr<DiskState> state = promise.get_future().get();
    if (!state) return -1;
    Sequence sequence = restore(pool, state->tokens, state->recurrent, state->parts);
    EXPECT_TRUE(whole(sequence));
    sequence.rewind(sequence.length() - found.usable);
    EXPECT_TRUE(whole(sequence));
    EXPECT_TRUE(std::equal(sequence.tokens().begin(), sequence.tokens().end(), prompt.begin()));
    step(sequence, std::span(prompt).subspan(static_cast<size_t>(found.usable)));
    EXPECT_TRUE(whole(sequence));
    return found.usable;
  }

  std::vector<std::string> reports;
  HostDevice device;
  StatePool pool;
  PrefixTree tree;
  std::optional<DiskCache> cache;
  std::optional<PrefixSaver> saver;
};

TEST(DiskCache, ARestartFindsWhatWasThere) {
  const Folder folder;
  const Tokens a = fresh(200), b = joined(std::span(a).first(150), fresh(100)), c = fresh(30);
  {
    Process p(options_of(folder));
    for (const Tokens& prompt : {a, b, c}) p.converse(prompt);
    p.save();
    EXPECT_EQ(p.cache->stats().saved, 3);
    EXPECT_EQ(p.cache->stats().runs, 3 + 1);  // two of b are those of a
    EXPECT_EQ(p.cache->stats().bytes, folder.bytes());
  }
  for (int restart = 0; restart < 2; ++restart) {
    Process p(options_of(folder));
    EXPECT_EQ(p.cache->stats().states, 3);
    EXPECT_EQ(p.cache->stats().bytes, folder.bytes());
    EXPECT_EQ(p.restored(a), 199);
    EXPECT_EQ(p.restored(joined(a, fresh(9))), 200);
    EXPECT_EQ(p.restored(joined(b, fresh(9))), 250);
    EXPECT_EQ(p.restored(joined(c, fresh(9))), 30);
    EXPECT_EQ(p.restored(joined(std::span(b).first(244), fresh(9))), 244);  // through the ring
    EXPECT_EQ(p.restored(joined(std::span(b).first(230), fresh(9))), 0);
    EXPECT_EQ(p.restored(fresh(50)), 0);
    EXPECT_TRUE(p.reports.empty());
    // What is there already is not written again.
    for (const Tokens& prompt : {a, b, c}) p.converse(prompt);
    p.save();
    EXPECT_EQ(p.cache->stats().saved, 0);
  }
}

TEST(DiskCache, RealmsAndKeysKnowNothingOfEachOther) {
  const Folder folder;
  const Tokens prompt = fresh(200), more = joined(prompt, fresh(5));
  {
    Process p(options_of(folder));
    p.converse(prompt, 1);
    p.converse(prompt, 7);  // has no name that outlasts this process
    p.save();
    EXPECT_EQ(p.cache->stats().saved, 1);
  }
  {
    Process p(options_of(folder));
    EXPECT_EQ(p.restored(more, 1), 200);
    for (const int realm : {0, 2, 7}) EXPECT_EQ(p.restored(more, realm), 0);
  }
  DiskCacheOptions renumbered = options_of(folder);
  renumbered.realms = {{1, "two"}, {3, "one"}};
  {
    Process p(renumbered);
    EXPECT_EQ(p.restored(more, 1), 0);
    EXPECT_EQ(p.restored(more, 3), 200);
  }
  Process other(options_of(folder, "another model"));
  EXPECT_EQ(other.restored(more, 1), 0);
  Process here(options_of(folder));  // each has a folder of its own
  EXPECT_EQ(here.restored(more, 1), 200);
}

TEST(DiskCache, OneProcessHasTheFolder) {
  const Folder folder;
  const Process p(options_of(folder));
  EXPECT_NE(error_of([&] { Process second(options_of(folder)); }).find("another process"),
            std::string::npos);
  const std::string file = folder.path() + "/file";
  write(file, "x");
  DiskCacheOptions o = options_of(folder);
  o.folder = file;
  EXPECT_NE(error_of([&] { Process no(o); }), "");
}

TEST(DiskCache, TheBudgetHoldsAndTheOldestGo) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder);
  std::vector<Tokens> prompts;
  for (int i = 0; i < 12; ++i) prompts.push_back(fresh(150));
  {
    Process p(o);
    p.converse(prompts[0]);
    p.save();
    o.bytes = folder.bytes() * 4;
  }
  {
    Process p(o);
    for (size_t i = 1; i < 10; ++i) {
      p.converse(prompts[i]);
      p.save();
      EXPECT_LE(folder.bytes(), o.bytes);
      EXPECT_EQ(folder.bytes(), p.cache->stats().bytes);
      if (i >= 2) {
        EXPECT_EQ(p.restored(prompts[2]), 149);  // in use
      }
    }
    EXPECT_EQ(p.cache->stats().states, 4);
    EXPECT_EQ(p.cache->stats().evicted, 6);
    EXPECT_EQ(p.restored(prompts[3]), 0);
    p.converse(fresh(2000));  // would take all that there is
    p.save();
    EXPECT_EQ(p.cache->stats().states, 4);
  }
  // That it was used outlasts a restart.
  {
    Process p(o);
    EXPECT_EQ(p.restored(prompts[2]), 149);
  }
  o.bytes /= 4;
  Process p(o);
  EXPECT_EQ(p.cache->stats().states, 1);
  EXPECT_LE(folder.bytes(), o.bytes);
  EXPECT_EQ(p.restored(prompts[2]), 149);
}

// What other models left in the same place counts, unless a process uses it.
TEST(DiskCache, TheBudgetIsForAllModels) {
  const Folder folder;
  for (const char* key : {"a", "b"}) {
    Process p(options_of(folder, key));
    p.converse(fresh(150));
    p.save();
  }
  const size_t both = folder.bytes();
  DiskCacheOptions o = options_of(folder, "c");
  o.bytes = both;
  { const Process p(o); }
  EXPECT_EQ(folder.bytes(), both);
  o.bytes = both - 1;
  {
    const Process user(options_of(folder, "a"));
    const Process p(o);
    EXPECT_EQ(user.cache->stats().states, 1);
    EXPECT_EQ(folder.bytes(), both / 2);
  }
  o.bytes = 1;
  const Process p(o);
  EXPECT_EQ(folder.bytes(), 0u);
}

bool comes_down_to(const Folder& folder, size_t bytes) {
  for (int i = 0; i < 500 && folder.bytes() > bytes; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return folder.bytes() <= bytes;
}

// What another process wrote meanwhile counts, too.
TEST(DiskCache, TheOthersAreCountedAgain) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder, "a");
  o.recount = std::chrono::milliseconds(5);
  Process p(o);
  p.converse(fresh(150));
  p.save();
  const size_t one = folder.bytes();
  o.bytes = 3 * one;
  Process bounded([&] {
    DiskCacheOptions b = o;
    b.key = "b";
    return b;
  }());
  {
    Process gone(options_of(folder, "c"));
    for (int i = 0; i < 5; ++i) gone.converse(fresh(150));
    gone.save();
  }
  EXPECT_TRUE(comes_down_to(folder, o.bytes));
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(2 * o.recount);
    bounded.converse(fresh(150));
    bounded.save();
    EXPECT_LE(folder.bytes(), o.bytes);
  }
  // The first process keeps its own: it is alive, and takes less than its part.
  EXPECT_EQ(p.cache->stats().states, 1);
  EXPECT_EQ(bounded.cache->stats().states, 2);
}

// A folder full of what nobody uses is no reason to write nothing.
TEST(DiskCache, WhatNobodyUsesMakesRoom) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder, "a");
  {
    Process p(o);
    for (int i = 0; i < 4; ++i) p.converse(fresh(150));
    p.save();
  }
  o.bytes = folder.bytes();
  o.key = "b";
  Process p(o);
  const Tokens prompt = fresh(150);
  p.converse(prompt);
  p.save();
  EXPECT_EQ(p.restored(prompt), 149);
  EXPECT_LE(folder.bytes(), o.bytes);
}

// Two that run at the same time come to equal parts of one budget.
TEST(DiskCache, ProcessesShareTheBudget) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder, "a");
  o.recount = std::chrono::milliseconds(5);
  size_t one = 0;
  {
    Process p(o);
    p.converse(fresh(150));
    p.save();
    one = folder.bytes();
  }
  o.bytes = 8 * one;
  Process first(o);
  for (int i = 0; i < 12; ++i) {
    first.converse(fresh(150));
    first.save();
  }
  EXPECT_EQ(first.cache->stats().states, 8);
  o.key = "b";
  Process second(o);
  for (int i = 0; i < 12; ++i) {
    second.converse(fresh(150));
    second.save();
  }
  // The first one writes nothing, but counts.
  EXPECT_TRUE(comes_down_to(folder, o.bytes));
  EXPECT_EQ(first.cache->stats().states, 4);
  EXPECT_EQ(second.cache->stats().states, 4);
}

TEST(DiskCache, WhatIsNotWantedAnyMoreIsNotRead) {
  const Folder folder;
  Process p(options_of(folder));
  const Tokens prompt = fresh(200);
  p.converse(prompt);
  p.save();
  const uint64_t id = p.cache->find(0, prompt).id;
  ASSERT_NE(id, 0u);
  std::stop_source source;
  source.request_stop();
  std::promise<bool> promise;
  p.cache->load(id, source.get_token(),
                [&](std::unique_ptr<DiskState> state) { promise.set_value(state != nullptr); });
  EXPECT_FALSE(promise.get_future().get());
  EXPECT_EQ(p.cache->stats().loaded, 0);
  EXPECT_EQ(p.restored(prompt), 199);
}

TEST(DiskCache, DamagedFilesAreReportedDeletedAndNotMissed) {
  const Tokens a = fresh(200), b = joined(std::span(a).first(150), fresh(100));
  std::mt19937 random(1);
  int found_late = 0, runs = 0;
  for (int round = 0; round < 60; ++round) {
    const Folder folder;
    {
      Process p(options_of(folder));
      p.converse(a);
      p.converse(b);
      p.save();
    }
    auto files = folder.files();
    ASSERT_EQ(files.size(), 6u);
    const fs::path victim = files[random() % files.size()];
    const size_t size = fs::file_size(victim);
    if (round % 3 == 0)
      fs::resize_file(victim, random() % size);
    else if (round % 3 == 1)
      flip(victim, random());
    // Damage that comes while the process runs shows when the file is read.
    Process p(options_of(folder));
    if (round % 3 == 2) round % 2 ? flip(victim, random()) : (void)fs::remove(victim);
    for (const Tokens* prompt : {&a, &b}) {
      const int64_t n = static_cast<int64_t>(prompt->size()) - 1;
      int64_t usable = p.restored(*prompt);
      if (usable == -1) {
        ++found_late;
        usable = p.restored(*prompt);
      }
      EXPECT_TRUE(usable == n || usable == 0 || usable == 150) << usable;
    }
    EXPECT_EQ(p.reports.size(), 1u);
    EXPECT_EQ(p.cache->stats().damaged, 1);
    EXPECT_FALSE(fs::exists(victim));
    EXPECT_EQ(folder.bytes(), p.cache->stats().bytes);
    runs += victim.extension() == ".run";
    // And it is written again.
    p.converse(a);
    p.converse(b);
    p.save();
    EXPECT_EQ(p.restored(a), 199);
    EXPECT_EQ(p.restored(b), 249);
    if (testing::Test::HasFailure()) FAIL() << round << ": " << victim;
  }
  EXPECT_GT(found_late, 10);
  EXPECT_GT(runs, 10);
}

TEST(DiskCache, WhatAKilledProcessLeftGoes) {
  const Folder folder;
  const Tokens a = fresh(200);
  {
    Process p(options_of(folder));
    p.converse(a);
    p.save();
  }
  const fs::path within = folder.files()[0].parent_path();
  write(within / "0123456789abcdef.state.part", "half");
  write(within / "notes.txt", "not ours");
  fs::remove(folder.files(".state")[0]);  // leaves runs that nobody needs
  Process p(options_of(folder));
  EXPECT_EQ(folder.files().size(), 0u);
  EXPECT_FALSE(fs::exists(within / "0123456789abcdef.state.part"));
  EXPECT_TRUE(fs::exists(within / "notes.txt"));
  EXPECT_TRUE(p.reports.empty());
}

// Files may not grow so large for a while.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(DiskCache, AFullDiskIsReportedOnceAndTriedAgain) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder);
  o.retry_seconds = 0;
  Process p(o);
  const Tokens first = fresh(150), last = fresh(150);
  p.converse(first);
  p.save();
  const size_t before = folder.bytes();
  for (const rlim_t bytes : {rlim_t{500}, rlim_t{1}, rlim_t{2000}}) {
    const FileLimit limit(bytes);
    p.converse(fresh(150));
    p.save();
  }
  EXPECT_EQ(p.reports.size(), 1u);
  EXPECT_NE(p.reports[0].find("cannot be written"), std::string::npos) << p.reports[0];
  EXPECT_GE(p.cache->stats().failed, 3);
  EXPECT_EQ(folder.bytes(), before);
  EXPECT_EQ(folder.bytes(), p.cache->stats().bytes);
  EXPECT_EQ(folder.files(".part").size(), 0u);
  EXPECT_EQ(p.restored(first), 149);
  p.converse(last);
  p.save();
  EXPECT_EQ(p.restored(last), 149);
  const FileLimit limit(500);  // it may fail again, and that is news
  p.converse(fresh(150));
  p.save();
  EXPECT_EQ(p.reports.size(), 2u);
}

TEST(DiskCache, AfterAFailureNothingIsWrittenForAWhile) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder);
  o.retry_seconds = 1000;
  Process p(o);
  p.converse(fresh(150));
  {
    const FileLimit limit(500);
    p.save();
  }
  p.converse(fresh(150));
  p.save();
  EXPECT_EQ(p.cache->stats().failed, 1);
  EXPECT_EQ(folder.files().size(), 0u);
}

TEST(PrefixSaver, WhatGoesInTheMiddleIsNotWritten) {
  const Folder folder;
  Process p(options_of(folder));
  const Tokens prompt = fresh(300);
  p.converse(prompt);
  EXPECT_TRUE(p.saver->some(0));
  EXPECT_TRUE(p.saver->some(0));
  p.tree.clear();
  p.save();
  EXPECT_EQ(p.cache->stats().saved, 0);
  EXPECT_EQ(folder.files().size(), 0u);
  p.converse(prompt);
  p.save();
  EXPECT_EQ(p.restored(prompt), 299);
}

TEST(PrefixSaver, WithoutMemoryForACopyItWaits) {
  const Folder folder;
  Process p(options_of(folder));
  const Tokens prompt = fresh(300);
  p.converse(prompt);
  for (int parts = 0; parts < 3; ++parts) {
    EXPECT_TRUE(p.saver->some(0));
    p.device.short_of_memory = true;
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(p.saver->some(0));
    p.device.short_of_memory = false;
  }
  EXPECT_EQ(p.cache->stats().saved, 0);
  p.save();
  EXPECT_EQ(p.cache->stats().saved, 1);
  EXPECT_EQ(p.restored(prompt), 299);
}

TEST(PrefixSaver, WritesWhatIsWorthMostFirst) {
  const Folder folder;
  Process p(options_of(folder));
  p.converse(fresh(20));
  const Tokens prompt = fresh(300);
  p.converse(prompt);
  p.save_what_is_worth(50);
  EXPECT_EQ(p.restored(prompt), 299);
  EXPECT_EQ(p.cache->stats().saved, 1);
  p.save();
  EXPECT_EQ(p.cache->stats().saved, 2);
}

// Killed at any moment, a process leaves nothing that is not whole.
TEST(DiskCache, KilledAtAnyMoment) {
  const Folder folder;
  DiskCacheOptions o = options_of(folder);
  std::vector<Tokens> prompts;
  for (int i = 0; i < 8; ++i) {
    const Tokens more = fresh(60 + 40 * i);
    prompts.push_back(i % 3 ? joined(prompts.back(), std::span(more).first(70)) : more);
  }
  std::mt19937 random(3);
  int64_t found = 0;
  for (int round = 0; round < 25; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      DiskCacheOptions small = o;
      small.bytes = 60000;  // evicts too
      Process p(small);
      for (;;) {
        for (const Tokens& prompt : prompts) {
          p.converse(prompt);
          p.save();
        }
        p.tree.clear();
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + random() % 20000));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    Process p(o);
    EXPECT_TRUE(p.reports.empty()) << p.reports[0];
    EXPECT_EQ(folder.bytes(), p.cache->stats().bytes);
    for (const Tokens& prompt : prompts) {
      const int64_t usable = p.restored(prompt);
      EXPECT_GE(usable, 0);
      found += usable > 0;
    }
    if (testing::Test::HasFailure()) FAIL() << round;
  }
  EXPECT_GT(found, 25);
}

}  // namespace
}  // namespace braid
