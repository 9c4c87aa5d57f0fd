// Snapshots on the disk, with their keys and values, so that a restart goes on where it was.
//
// A folder holds what one model with one kind of settings left behind (`key`); the process that
// uses it has it alone. A thread of its own writes and reads; the caller, one thread, only asks an
// index in memory, hands over what is to be written, and hears through `wake` that something was
// done. Nothing waits for the disk but a request for what is on it.
//
// The budget is in bytes of files, those of other keys in the same folder counted, now and then
// and before anything goes: they go first, but for those that another process uses, and then what
// was used longest ago. Processes that want more than there is come to equal parts. A file that is
// not as it was written is reported, deleted and not missed; a disk that takes no more is reported
// once, and for a while nothing is written.
#pragma once

#include "state/disk_folder.h"
#include "state/disk_index.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace braid {

struct DiskCacheOptions {
  std::string folder;  // empty: no cache
  // All that decides the bits of a state beside the tokens: model, program, device, cache types.
  std::string key;
  size_t bytes = size_t{16} << 30;
  // Names of realms that outlast a restart, as API keys; files have a keyed hash of them. Those of
  // others are neither written nor found, but for realm 0, which has none.
  std::map<int, std::string> realms;
  int64_t run_tokens = 512;    // of a file of keys and values; a multiple of kPageTokens
  double retry_seconds = 30;   // after a failed write
  double finish_seconds = 10;  // at the end, for what is not yet written
  std::chrono::milliseconds recount{30'000};       // what others have
  std::function<void(const std::string&)> report;  // from any thread: what went wrong
};

struct DiskCacheStats {
  int64_t states = 0, runs = 0;
  size_t bytes = 0;
  // So far: states.
  int64_t saved = 0, loaded = 0, evicted = 0, damaged = 0, failed = 0;
  std::string trouble;  // the last one
};

// A state with all its keys and values.
struct DiskState {
  std::vector<int32_t> tokens;
  RecurrentSnapshot recurrent;
  std::vector<KvPart> parts;
  uint32_t mark = 0;
};

class DiskCache {
 public:
  // Makes the folder, or reads what is in it. Throws Error when it cannot, or another process has
  // it. The pool outlives the cache, which reads nothing of it but shapes.
  DiskCache(const StatePool& pool, DiskCacheOptions options, std::function<void()> wake);
  ~DiskCache();  // writes what was handed over
  DiskCache(const DiskCache&) = delete;
  DiskCache& operator=(const DiskCache&) = delete;

  DiskIndex::Found find(int realm, std::span<const int32_t> tokens) const;
  // Reads a state that was found, and calls back from the cache's thread, before `wake`: null when
  // it is not there any more, or not wanted any more.
  using Loaded = std::function<void(std::unique_ptr<DiskState>)>;
  void load(uint64_t state, std::stop_token unwanted, Loaded loaded);

  // Writing, one state at a time: begin, the rows of the runs that are missing in order, the state.
  enum class Begun { kYes, kThereAlready, kTooLarge, kNotNow };
  Begun begin(int realm, std::vector<int32_t> tokens, size_t recurrent_bytes);
  // The rows that are wanted next: those of a whole run, or what is left behind the last one.
  int64_t next_first() const { return saving_->handed; }
  int64_t next_rows() const;
  void add_run(KvPart rows);
  void finish(std::shared_ptr<const RecurrentSnapshot> recurrent, uint32_t mark, KvPart rows);
  void drop();                                        // what was begun
  bool failed() const;                                // what was begun cannot be finished
  bool saving() const { return saving_ != nullptr; }  // something was begun
  // Whether as much was handed over as should wait at a time.
  bool busy() const;
  bool idle() const;  // nothing is left to do
  bool takes(int realm) const;

  DiskCacheStats stats() const;
  int64_t run_tokens() const { return options_.run_tokens; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Saving {
    uint64_t realm = 0;
    std::vector<int32_t> tokens;
    int64_t handed = 0;  // tokens of runs that are on the disk or on their way
    uint64_t run = 0;    // the last one on the disk
    bool failed = false;
  };
  struct Task {
    std::function<void()> work;
    size_t bytes = 0;
  };

  bool realm_of(int realm, uint64_t& name) const;
  void hand_over(std::function<void()> work, size_t bytes, bool first);
  void loop();

  void write(Saving& saving, DiskEntry entry, const RecurrentSnapshot* recurrent,
             const KvPart& rows);
  void count_others(size_t own);
  bool make_room(size_t bytes);
  void let_go(Saving& saving);
  std::unique_ptr<DiskState> read(uint64_t state, const std::stop_token& unwanted);
  void trouble(const std::string& what);
  void trouble_writing(const std::string& what);

  const StatePool& pool_;
  DiskCacheOptions options_;
  std::function<void()> wake_;
  std::optional<DiskFolder> folder_;
  std::map<int, uint64_t> realms_;  // what files call them
  Clock::time_point counted_{};     // others; by the cache's thread
  std::shared_ptr<Saving> saving_;

  mutable std::mutex mutex_;  // of all below
  std::condition_variable came_;
  DiskIndex index_;
  std::deque<Task> tasks_;
  size_t waiting_bytes_ = 0;
  bool working_ = false;
  bool ending_ = false;
  DiskCacheStats counts_;
  bool writes_fail_ = false;  // since the last that did not
  Clock::time_point write_again_{};
  size_t allowed_ = 0;  // of files: what others leave of the budget
  size_t most_ = 0;     // what they would leave if all went that nobody uses

  std::thread thread_;
};

}  // namespace braid
