#include "state/disk_cache.h"

#include "base/check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>
#include <utility>

namespace braid {

namespace {

// What waits to be written is a copy in memory.
constexpr size_t kMostWaiting = size_t{64} << 20;
constexpr size_t kMostTasks = 8;
// Before anything goes, others are counted again, but no more often than this.
constexpr std::chrono::milliseconds kCountAgain{1000};

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

uint64_t fresh_id() {
  static thread_local std::mt19937_64 random{
      (uint64_t{std::random_device{}()} << 32 | std::random_device{}()) ^ now_ns()};
  for (;;)
    if (const uint64_t id = random(); id != 0) return id;
}

}  // namespace

DiskCache::DiskCache(const StatePool& pool, DiskCacheOptions options, std::function<void()> wake)
    : pool_(pool),
      options_(std::move(options)),
      wake_(std::move(wake)),
      index_(options_.run_tokens) {
  CHECK(options_.run_tokens > 0 && options_.run_tokens % kPageTokens == 0);
  const DiskFolder::Trouble told = [this](const std::string& what, bool damaged) {
    counts_.damaged += damaged;
    trouble(what);
  };
  folder_.emplace(options_.folder, disk_key(pool, options_.key, options_.run_tokens), told);
  for (const auto& [realm, name] : options_.realms) realms_[realm] = folder_->realm(name);
  for (DiskEntry& entry : folder_->entries(told)) {
    const std::vector<DiskEntry> alone = {entry};
    if (!index_.add(std::move(entry))) folder_->remove(alone);
  }
  folder_->remove(index_.remove_unneeded());
  count_others(index_.bytes());
  make_room(0);
  thread_ = std::thread([this] { loop(); });
}

DiskCache::~DiskCache() {
  if (saving_) drop();
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
  }
  came_.notify_one();
  thread_.join();
}

bool DiskCache::realm_of(int realm, uint64_t& name) const {
  const auto found = realms_.find(realm);
  name = found == realms_.end() ? 0 : found->second;
  return name != 0 || realm == 0;
}

bool DiskCache::takes(int realm) const {
  uint64_t name = 0;
  return realm_of(realm, name);
}

// ---- For the caller

DiskIndex::Found DiskCache::find(int realm, std::span<const int32_t> tokens) const {
  uint64_t name = 0;
  if (!realm_of(realm, name)) return {};
  const std::lock_guard guard(mutex_);
  return index_.find(name, tokens);
}

void DiskCache::hand_over(std::function<void()> work, size_t bytes, bool first) {
  {
    const std::lock_guard guard(mutex_);
    waiting_bytes_ += bytes;
    Task task{std::move(work), bytes};
    if (first)
      tasks_.push_front(std::move(task));
    else
      tasks_.push_back(std::move(task));
  }
  came_.notify_one();
}

void DiskCache::load(uint64_t state, std::stop_token unwanted, Loaded loaded) {
  hand_over(
      [this, state, unwanted = std::move(unwanted), loaded = std::move(loaded)] {
        std::unique_ptr<DiskState> found;
        try {
          found = read(state, unwanted);
        } catch (const std::exception& error) {
          trouble(error.what());
        }
        loaded(std::move(found));
      },
      0, true);
}

bool DiskCache::busy() const {
  const std::lock_guard guard(mutex_);
  return waiting_bytes_ > kMostWaiting || tasks_.size() >= kMostTasks;
}

bool DiskCache::idle() const {
  const std::lock_guard guard(mutex_);
  return tasks_.empty() && !working_;
}

DiskCache::Begun DiskCache::begin(int realm, std::vector<int32_t> tokens, size_t recurrent_bytes) {
  CHECK(!saving_ && !tokens.empty());
  auto saving = std::make_shared<Saving>();
  if (!realm_of(realm, saving->realm)) return Begun::kTooLarge;
  const size_t line = tokens.size() * (kv_row_bytes(pool_) + 2 * sizeof(int32_t));
  const std::lock_guard guard(mutex_);
  if (line + recurrent_bytes > most_) return Begun::kTooLarge;
  if (Clock::now() < write_again_) return Begun::kNotNow;
  if (index_.state_at(saving->realm, tokens) != 0) return Begun::kThereAlready;
  saving->run = index_.last_run(saving->realm, tokens);
  index_.hold(saving->run);
  saving->handed = saving->run == 0 ? 0 : index_.get(saving->run).end();
  saving->tokens = std::move(tokens);
  saving_ = std::move(saving);
  return Begun::kYes;
}

int64_t DiskCache::next_rows() const {
  return std::min(options_.run_tokens,
                  static_cast<int64_t>(saving_->tokens.size()) - saving_->handed);
}

bool DiskCache::failed() const {
  const std::lock_guard guard(mutex_);
  return saving_->failed;
}

void DiskCache::add_run(KvPart rows) {
  CHECK(rows.first == saving_->handed && rows.rows == options_.run_tokens);
  saving_->handed += rows.rows;
  const size_t bytes = rows.bytes.size();
  hand_over(
      [this, saving = saving_, rows = std::make_shared<KvPart>(std::move(rows))] {
        DiskEntry entry;
        entry.first = rows->first;
        entry.tokens.assign(saving->tokens.begin() + rows->first,
                            saving->tokens.begin() + rows->first + rows->rows);
        write(*saving, std::move(entry), nullptr, *rows);
      },
      bytes, false);
}

void DiskCache::finish(std::shared_ptr<const RecurrentSnapshot> recurrent, uint32_t mark,
                       KvPart rows) {
  CHECK(rows.first == saving_->handed && rows.rows < options_.run_tokens);
  const size_t bytes = rows.bytes.size() + recurrent->bytes();
  hand_over(
      [this, saving = std::move(saving_), recurrent = std::move(recurrent), mark,
       rows = std::make_shared<KvPart>(std::move(rows))] {
        DiskEntry entry;
        entry.state = true;
        entry.first = rows->first;
        entry.tokens.assign(saving->tokens.begin() + rows->first, saving->tokens.end());
        entry.floor = recurrent->floor;
        entry.mark = mark;
        write(*saving, std::move(entry), recurrent.get(), *rows);
        let_go(*saving);
      },
      bytes, false);
  saving_ = nullptr;
}

void DiskCache::drop() {
  hand_over([this, saving = std::move(saving_)] { let_go(*saving); }, 0, false);
  saving_ = nullptr;
}

DiskCacheStats DiskCache::stats() const {
  const std::lock_guard guard(mutex_);
  DiskCacheStats stats = counts_;
  stats.states = index_.states();
  stats.runs = index_.runs();
  stats.bytes = index_.bytes();
  return stats;
}

// ---- On the cache's thread

void DiskCache::loop() {
  // A file that may not grow so large is an error like others, and not the end of the process.
  sigset_t too_large;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &too_large, nullptr);
  std::unique_lock guard(mutex_);
  for (;;) {
    const bool came =
        came_.wait_for(guard, options_.recount, [&] { return ending_ || !tasks_.empty(); });
    if (!came) {  // others may have come, or want a part
      guard.unlock();
      make_room(0);
      guard.lock();
      continue;
    }
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    working_ = true;
    guard.unlock();
    try {
      task.work();
    } catch (const std::exception& error) {
      trouble(error.what());
    }
    task.work = nullptr;  // what it held is gone before anybody hears of it
    guard.lock();
    waiting_bytes_ -= task.bytes;
    working_ = false;
    guard.unlock();
    if (wake_) wake_();
    guard.lock();
  }
}

void DiskCache::write(Saving& saving, DiskEntry entry, const RecurrentSnapshot* recurrent,
                      const KvPart& rows) {
  {
    const std::lock_guard guard(mutex_);
    saving.failed |= saving.run != 0 && !index_.has(saving.run);  // found damaged meanwhile
    if (saving.failed) return;
    if (!entry.state) {
      // One that was begun before this may have brought the same run meanwhile.
      const uint64_t there = index_.next_run(saving.realm, saving.run, entry.tokens);
      if (there != 0) {
        index_.hold(there);
        index_.release(std::exchange(saving.run, there));
        return;
      }
    }
    entry.parent = saving.run;
  }
  entry.realm = saving.realm;
  entry.id = fresh_id();
  entry.bytes = disk_file_bytes(entry, recurrent, rows.bytes.size());
  std::string error;
  const bool room = make_room(entry.bytes);
  if (room) {
    try {
      write_disk_file(folder_->path(), folder_->key(), entry, recurrent, rows.bytes);
    } catch (const std::exception& e) {
      error = e.what();
      if (error.empty()) error = "a file could not be written";
    }
  }
  if (!error.empty()) trouble_writing(error);
  std::vector<DiskEntry> gone;
  {
    const std::lock_guard guard(mutex_);
    if (!room || !error.empty()) {
      saving.failed = true;
      return;
    }
    writes_fail_ = false;
    entry.used = now_ns();
    const bool state = entry.state;
    const uint64_t id = entry.id;
    if (!index_.add(entry)) {
      saving.failed = true;
      gone.push_back(std::move(entry));
    } else if (state) {
      ++counts_.saved;
    } else {
      index_.hold(id);
      gone = index_.release(std::exchange(saving.run, id));
    }
  }
  folder_->remove(gone);
}

// What the budget leaves to this process: all that others do not take, and at least an equal part,
// which those that have more give back when they count again.
void DiskCache::count_others(size_t own) {
  const DiskFolder::Others others =
      folder_->make_room_among_others(std::min(own, options_.bytes), options_.bytes);
  const auto without = [&](size_t bytes) {
    return options_.bytes - std::min(options_.bytes, bytes);
  };
  const size_t part =
      others.users == 0 ? 0 : options_.bytes / static_cast<size_t>(others.users + 1);
  counted_ = Clock::now();
  const std::lock_guard guard(mutex_);
  allowed_ = std::max(without(others.bytes), part);
  most_ = std::max(without(others.used_bytes), part);
}

// Nothing is taken from those who were used last for one that does not fit at all.
bool DiskCache::make_room(size_t bytes) {
  size_t own = bytes;
  bool full = false, alone = false;
  {
    const std::lock_guard guard(mutex_);
    own += index_.bytes();
    full = own > allowed_;
    alone = bytes > allowed_;  // perhaps others can go
  }
  if (alone || Clock::now() - counted_ >=
                   (full ? std::min(kCountAgain, options_.recount) : options_.recount))
    count_others(own);
  for (;;) {
    std::vector<DiskEntry> gone;
    {
      const std::lock_guard guard(mutex_);
      if (index_.bytes() + bytes <= allowed_) return true;
      const uint64_t oldest = index_.oldest_state();
      if (oldest == 0 || bytes > allowed_) return false;
      gone = index_.remove(oldest);
      ++counts_.evicted;
    }
    folder_->remove(gone);
  }
}

void DiskCache::let_go(Saving& saving) {
  std::vector<DiskEntry> gone;
  {
    const std::lock_guard guard(mutex_);
    gone = index_.release(std::exchange(saving.run, 0));
  }
  folder_->remove(gone);
}

std::unique_ptr<DiskState> DiskCache::read(uint64_t state, const std::stop_token& unwanted) {
  std::vector<DiskEntry> line;
  {
    const std::lock_guard guard(mutex_);
    if (!index_.has(state)) return nullptr;
    for (const uint64_t id : index_.line(state)) line.push_back(index_.get(id));
  }
  auto result = std::make_unique<DiskState>();
  for (const DiskEntry& entry : line) {
    if (unwanted.stop_requested()) return nullptr;
    DiskPayload payload;
    try {
      payload = read_disk_payload(folder_->path(), folder_->key(), entry);
      check_sizes(pool_, entry, payload, folder_->path() + "/" + entry.name());
    } catch (const Damaged& error) {
      std::vector<DiskEntry> gone;
      {
        const std::lock_guard guard(mutex_);
        gone = index_.remove(entry.id);
        ++counts_.damaged;
      }
      folder_->remove(gone);
      trouble(fmt::format("{}; deleted", error.what()));
      return nullptr;
    }
    result->tokens.insert(result->tokens.end(), entry.tokens.begin(), entry.tokens.end());
    result->parts.push_back(
        {entry.first, static_cast<int64_t>(entry.tokens.size()), std::move(payload.rows)});
    if (!entry.state) continue;
    result->recurrent = {entry.floor, std::move(payload.blocks), std::move(payload.conv)};
    result->mark = entry.mark;
  }
  ::utimensat(AT_FDCWD, (folder_->path() + "/" + line.back().name()).c_str(), nullptr, 0);
  const std::lock_guard guard(mutex_);
  index_.touch(state, now_ns());
  ++counts_.loaded;
  return result;
}

void DiskCache::trouble(const std::string& what) {
  {
    const std::lock_guard guard(mutex_);
    counts_.trouble = what;
  }
  if (options_.report) options_.report(what);
}

// Once, until a write went well again.
void DiskCache::trouble_writing(const std::string& what) {
  bool first = false;
  {
    const std::lock_guard guard(mutex_);
    ++counts_.failed;
    first = !std::exchange(writes_fail_, true);
    write_again_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(options_.retry_seconds));
  }
  if (first) trouble(what);
}

}  // namespace braid
