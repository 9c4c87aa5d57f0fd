// Runs the requests of many threads on one engine, and keeps what they leave behind for the next.
//
// One thread of its own owns the engine and the prefix tree from construction to destruction.
// Between steps it takes in what came, ends what was cancelled or is late, admits what fits, and
// plans the next step: a row for every request that decodes, and parts of prompts, as many rows as
// fit the time budget. Whoever shares its steps, a request gives the tokens of its solo run.
//
// A request is admitted when a slot is free and all pages that it may ever need are, or can be made
// free by forgetting what nobody uses, beside those promised to others: what has started never
// runs out of memory. The first of the queue is never passed by one that needs less. A prompt that
// begins as one that is running now waits until that has come so far, and goes on from there; one
// whose beginning is on the disk waits until it was read.
//
// A step that fails is run again request by request, so that only the one at fault ends. A step is
// broken off in the middle when all who are in it were cancelled, or the others lose its time alone
// and it is a slow one.
#pragma once

#include "engine/engine.h"
#include "engine/request.h"
#include "engine/slots.h"
#include "engine/step_plan.h"
#include "sample/sampler.h"
#include "state/marks.h"
#include "state/prefix_saver.h"
#include "state/prefix_tree.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace braid {

struct SchedulerOptions {
  PrefixTreeOptions prefix;
  double shared_seconds = 0.22;  // of a step while others run or wait
  // Of one that is for a single request: each reads nearly all weights of a mixture, however few
  // its rows, and who comes meanwhile waits so long at most.
  double alone_seconds = 1;
  int queue = 256;        // most requests that wait
  DiskCacheOptions disk;  // without a folder there is none
};

// So far, or as it is between two steps.
struct SchedulerStats {
  int64_t running = 0, waiting = 0;
  int64_t submitted = 0, ended = 0, failed = 0;
  int64_t steps = 0, failed_steps = 0, stopped_steps = 0;  // stopped: for those who were cancelled
  int64_t lookups = 0;                                     // of prompts in the tree
  int64_t marks_for_others = 0;  // snapshots planned for requests that wait for another
  int64_t prompt_tokens = 0, cached_tokens = 0, prompt_rows = 0, answer_tokens = 0;
  double longest_step_seconds = 0;
  int64_t disk_tokens = 0;  // of the cached ones, read from the disk
  PrefixTreeUsage prefix;
  DiskCacheStats disk;
};

class Scheduler {
 public:
  // Engine and vocabulary outlive the scheduler; the engine has no sequences, and nobody else uses
  // it. Throws Error for an engine with fewer rows of logits than sequences, and for a folder that
  // cannot be used.
  Scheduler(Engine& engine, const SamplerVocabulary& vocabulary, const SchedulerOptions& options);
  ~Scheduler();  // shut_down(0)
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // From any thread. submit() throws Error for what could never run, a full queue, and after
  // shut_down(); on_end is called once for every id that it returned. cancel() of an id that has
  // ended does nothing.
  RequestId submit(Request request);
  void cancel(RequestId id);
  SchedulerStats stats() const;
  int queue() const { return options_.queue; }  // most requests that wait

  // What the last request of the realm that ended in the slot left: a copy of it; in its place what
  // was copied once; forgotten as far as nothing else goes on from it, with how many tokens that
  // were. From any thread but a callback; each waits for the end of a step, and restoring also
  // until there is room, before any request that waits. `wanted` is asked meanwhile, on the
  // scheduler's thread: it must be quick, and false ends the waiting. Throw SlotEmpty when there is
  // nothing, SlotBusy when what is there is worth more or nobody wants it any longer, ShuttingDown.
  std::vector<SlotInfo> slots() const;
  SlotState copy_slot(int slot, int realm);
  void restore_slot(
      int slot, int realm, const SlotState& state,
      const std::function<bool()>& wanted = [] { return true; });
  int64_t erase_slot(int slot, int realm);

  // Takes no more requests, lets those that came end for so many seconds, hands the others back
  // (kHandedBack, with what they have), writes what is worth it to the disk, and returns when all
  // is over. From any thread but a callback.
  void shut_down(double grace_seconds);

 private:
  using Clock = std::chrono::steady_clock;
  struct Job;
  enum class Admission { kStarted, kWaits, kNoRoom };
  using Errand = std::function<bool()>;  // false: it has to be run again

  void loop();
  bool take_in();
  void end_late();
  void admit();
  Admission try_admit(Job& job);
  bool still_waits(Job& job) const;
  bool follows_another(Job& job, PrefixMatch& match);
  int64_t plan_mark_for_others(Job& job, int64_t same);
  void start(Job& job, bool from_tree);
  int64_t promised_pages() const;

  std::unique_ptr<DiskCache> open_disk();
  bool awaits_disk(const Job& job) const;
  bool read_from_disk(Job& job, int64_t usable);
  void take_read();
  void end_reading();
  bool restore_from_disk(Job& job, PrefixMatch& match);
  void save_some();
  void finish_saving();

  int free_slot() const;
  void note_slot(const Job& job);
  std::vector<SlotInfo> slot_infos() const;
  bool has_pages(int64_t pages, std::span<const int32_t> kept = {}) const;
  bool has_room(int64_t pages) const;
  template <class F>
  auto between_steps(F f, std::function<bool()> ready = {}) -> decltype(f());
  void run_errands();
  const std::vector<int32_t>& slot_line(int slot, int realm) const;

  void step();
  std::vector<Job*> take_turns() const;
  bool run(std::span<Job* const> jobs, std::span<const int64_t> rows);
  void announce(std::span<Job* const> jobs, std::span<const int64_t> rows);
  void withdraw();
  void stop_for_cancelled();
  void went_on(Job& job, int64_t rows, std::span<const float> logits);
  void store_marks(Job& job);
  void store(Job& job, int64_t length, Mark mark, bool ended);
  void choose(Job& job, std::span<const float> logits);
  bool choose_once(Job& job, std::span<const float> logits);
  int32_t sample(Job& job, std::span<const float> logits);
  void tell_hidden(Job& job, int64_t row);
  bool step_back(Job& job, const StepBack& back);
  void step_failed(std::span<Job* const> jobs, std::span<const int64_t> rows,
                   const std::string& what);
  void step_stopped(std::span<Job* const> jobs);
  void begin_again(std::span<Job* const> jobs);
  void wait_again(Job& job);
  void end(Job& job, EndReason reason, std::string error = {});
  void fail_all(const std::string& what);
  void forget_ended();
  void publish();

  Engine& engine_;
  const SamplerVocabulary& vocabulary_;
  SchedulerOptions options_;
  PrefixTree tree_;
  SampleWorkspace workspace_;
  StepBudget shared_, alone_;
  std::vector<std::unique_ptr<Job>> waiting_, running_;
  SchedulerStats counts_;
  std::map<std::pair<int, int>, std::vector<int32_t>> slot_tokens_;  // by realm and slot: what ran
  std::vector<Errand> patient_;  // errands that wait for room; nobody starts meanwhile
  bool more_to_save_ = false;
  RequestId reading_ = 0;         // who waits for the disk, or has what was read; 0: nobody
  std::stop_source unwanted_;     // what it waits for
  double last_step_seconds_ = 0;  // of one that came to its end
  bool last_stopped_ = false;
  std::atomic<bool> stop_{false};  // the step that runs

  mutable std::mutex mutex_;  // of all below
  std::condition_variable came_;
  std::vector<std::unique_ptr<Job>> incoming_;
  std::unordered_set<RequestId> cancelled_;
  struct InStep {
    RequestId id;
    bool survives;  // when the step breaks off
  };
  std::vector<InStep> stepping_;  // in the step that runs
  bool may_disturb_ = false;      // those in it who were not cancelled
  bool closing_ = false;
  Clock::time_point closing_at_;
  RequestId next_id_ = 1;
  int64_t queued_ = 0;  // incoming_ and waiting_
  SchedulerStats published_;
  std::vector<SlotInfo> published_slots_;
  std::vector<Errand> errands_;                           // for between two steps
  bool woken_ = false;                                    // by the disk
  std::map<RequestId, std::unique_ptr<DiskState>> read_;  // null: there is nothing

  std::unique_ptr<DiskCache> disk_;
  std::unique_ptr<PrefixSaver> saver_;
  std::mutex joining_;
  std::thread thread_;
};

}  // namespace braid
