#include "engine/scheduler.h"

#include "base/check.h"
#include "engine/scheduler_job.h"

#include <algorithm>
#include <utility>

namespace braid {

namespace {

SchedulerOptions fitting(SchedulerOptions options, const Engine& engine) {
  const EngineOptions& planned = engine.options();
  if (planned.logit_rows < planned.sequences)
    fail("{} rows with logits for {} sequences: each may need one in a step; plan {}",
         planned.logit_rows, planned.sequences, planned.sequences);
  options.prefix.drafts = planned.draft;
  return options;
}

// A prompt waits for another that is running when that spares so many tokens.
constexpr int64_t kWorthWaiting = 64;
// Snapshots that one plans for those that wait for it: each is a copy of the state.
constexpr int kMarksForOthers = 8;
// While all wait for the disk, deadlines are looked at so often.
constexpr std::chrono::milliseconds kGlance{20};

int64_t common(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto n = static_cast<ptrdiff_t>(std::min(a.size(), b.size()));
  return std::mismatch(a.begin(), a.begin() + n, b.begin()).first - a.begin();
}

}  // namespace

std::string_view name_of(EndReason reason) {
  switch (reason) {
    case EndReason::kEndToken:
      return "end";
    case EndReason::kMaxTokens:
      return "length";
    case EndReason::kContextFull:
      return "context";
    case EndReason::kStopped:
      return "stop";
    case EndReason::kCancelled:
      return "cancelled";
    case EndReason::kDeadline:
      return "deadline";
    case EndReason::kHandedBack:
      return "shutdown";
    case EndReason::kFailed:
      return "error";
    case EndReason::kLoop:
      return "loop";
    case EndReason::kIndent:
      return "indent";
    case EndReason::kBanned:
      return "banned";
  }
  return "";
}

Scheduler::Scheduler(Engine& engine, const SamplerVocabulary& vocabulary,
                     const SchedulerOptions& options)
    : engine_(engine),
      vocabulary_(vocabulary),
      options_(fitting(options, engine)),
      tree_(engine.pool(), options_.prefix),
      shared_(options.shared_seconds, engine.options().ubatch),
      alone_(options.alone_seconds, engine.options().ubatch),
      published_slots_(static_cast<size_t>(engine.options().sequences)),
      disk_(open_disk()),
      saver_(disk_ ? std::make_unique<PrefixSaver>(tree_, *disk_) : nullptr),
      thread_([this] { loop(); }) {}

Scheduler::~Scheduler() { shut_down(0); }

void Scheduler::shut_down(double grace_seconds) {
  constexpr double kLongest = 1e6;  // seconds; more would not fit a duration
  const auto at =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(std::min(grace_seconds, kLongest)));
  {
    const std::lock_guard lock(mutex_);
    closing_at_ = closing_ ? std::min(closing_at_, at) : at;
    closing_ = true;
  }
  came_.notify_one();
  const std::lock_guard lock(joining_);
  if (thread_.joinable()) thread_.join();
}

RequestId Scheduler::submit(Request request) {
  const EngineOptions& planned = engine_.options();
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  if (prompt == 0) fail("an empty prompt: give it at least one token");
  if (prompt > planned.context)
    fail("a prompt of {} tokens: the context is {} (raise it with -c)", prompt, planned.context);
  const int64_t tokens = std::min<int64_t>(vocabulary_.n_tokens, engine_.spec().vocabulary);
  for (const int32_t token : request.prompt)
    if (token < 0 || token >= tokens)
      fail("token {} is outside of the vocabulary of {}", token, tokens);
  auto job = std::make_unique<Job>(0, std::move(request), vocabulary_);
  job->submitted = Clock::now();
  // The last token of an answer does not run.
  const int64_t room = planned.context - prompt + 1, wanted = job->request.max_tokens;
  job->most = wanted < 0 ? room : std::min(wanted, room);
  const int64_t held = engine_.pool().options().pages * kPageTokens;
  if (job->request.may_be_shorter && prompt <= held)
    job->most = std::min(job->most, held - prompt + 1);
  job->pages = StatePool::pages_for(prompt + std::max<int64_t>(job->most - 1, 0));
  if (job->pages > engine_.pool().options().pages)
    fail(
        "a prompt of {} tokens and an answer of up to {} take {} pages of {} tokens, there are {}; "
        "ask for fewer tokens or plan more memory",
        prompt, job->most, job->pages, kPageTokens, engine_.pool().options().pages);
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) throw ShuttingDown("shutting down: no more requests are taken");
    if (queued_ >= options_.queue)
      throw QueueFull(fmt::format("{} requests are waiting already; try again later", queued_));
    ++queued_;
    id = job->id = next_id_++;
    incoming_.push_back(std::move(job));
  }
  came_.notify_one();
  return id;
}

void Scheduler::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(id);
    stop_for_cancelled();
  }
  came_.notify_one();
}

SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

// ---- Between steps

void Scheduler::loop() {
  for (bool more = true; more;) {
    try {
      more = take_in();
      end_late();
      run_errands();
      admit();
      // Who asks during a long step sees who is in it.
      if (counts_.running != static_cast<int64_t>(running_.size())) publish();
      step();
    } catch (...) {
      fail_all(caught());
    }
    forget_ended();
    save_some();
    publish();
  }
  {
    const std::lock_guard lock(mutex_);
    errands_.clear();  // who waits is told
    patient_.clear();
  }
  finish_saving();
  publish();
}

// Braid contradicts itself outside of any request: none of them can be trusted to be whole.
void Scheduler::fail_all(const std::string& what) {
  for (const auto* jobs : {&running_, &waiting_})
    for (const auto& job : *jobs)
      if (job) end(*job, EndReason::kFailed, what);
  std::erase(waiting_, nullptr);
  tree_.clear();
}

// False when all is over. Waits while there is nothing to do.
bool Scheduler::take_in() {
  std::unordered_set<RequestId> cancelled;
  bool handing_back = false;
  {
    std::unique_lock lock(mutex_);
    const auto something = [&] {
      return !incoming_.empty() || !cancelled_.empty() || !errands_.empty() || woken_ ||
             (closing_ && waiting_.empty());
    };
    const bool idle = running_.empty() && (waiting_.empty() || reading_ != 0) && !more_to_save_;
    if (idle && waiting_.empty())
      came_.wait(lock, something);
    else if (idle)
      came_.wait_for(lock, kGlance, something);
    woken_ = false;
    counts_.submitted += static_cast<int64_t>(incoming_.size());
    for (auto& job : incoming_) waiting_.push_back(std::move(job));
    incoming_.clear();
    cancelled.swap(cancelled_);
    if (closing_ && running_.empty() && waiting_.empty()) return false;
    handing_back = closing_ && Clock::now() >= closing_at_;
  }
  take_read();
  for (const auto* jobs : {&running_, &waiting_})
    for (const auto& job : *jobs)
      if (cancelled.contains(job->id))
        end(*job, EndReason::kCancelled);
      else if (handing_back)
        end(*job, EndReason::kHandedBack);
  forget_ended();
  return true;
}

void Scheduler::end_late() {
  const auto now = Clock::now();
  for (const auto* jobs : {&running_, &waiting_})
    for (const auto& job : *jobs)
      if (job->request.deadline && now >= *job->request.deadline) end(*job, EndReason::kDeadline);
  forget_ended();
}

// Pages that those who run may still take.
int64_t Scheduler::promised_pages() const {
  int64_t pages = 0;
  for (const auto& job : running_)
    pages += job->pages - static_cast<int64_t>(job->sequence->pages().size());
  return pages;
}

// Beside what is promised, when the tree gives what it alone holds, but for `kept`.
bool Scheduler::has_pages(int64_t pages, std::span<const int32_t> kept) const {
  return pages <= engine_.pool().free_pages() + tree_.reclaimable_pages(kept) - promised_pages();
}

void Scheduler::admit() {
  if (!patient_.empty()) return;  // they wait for those that run
  std::sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
    return a->request.priority != b->request.priority ? a->request.priority > b->request.priority
                                                      : a->id < b->id;
  });
  for (auto& job : waiting_) {
    if (static_cast<int>(running_.size()) == engine_.options().sequences) break;
    if (still_waits(*job) || awaits_disk(*job)) continue;
    try {
      const Admission admission = try_admit(*job);
      if (admission == Admission::kNoRoom) break;
      if (admission == Admission::kStarted) running_.push_back(std::move(job));
    } catch (...) {
      end(*job, EndReason::kFailed, caught());
    }
  }
  std::erase(waiting_, nullptr);
  forget_ended();
  CHECK(!running_.empty() || waiting_.empty() || reading_ != 0);
}

Scheduler::Admission Scheduler::try_admit(Job& job) {
  ++counts_.lookups;
  PrefixMatch match = tree_.find(job.line(), job.request.realm);
  if (follows_another(job, match) || read_from_disk(job, match.usable)) return Admission::kWaits;
  if (job.state && job.state_usable <= match.usable) {
    job.state.reset();
    reading_ = 0;
  }
  if (job.state) {  // shares nothing of what is here
    match.shared.clear();
    match.kept.clear();
  }
  const bool fits = has_pages(job.pages - static_cast<int64_t>(match.shared.size()), match.kept);
  // Alone it fits in any case, but perhaps not beside what it would have started from.
  if (!fits && !running_.empty()) return Admission::kNoRoom;
  start(job, fits);
  return Admission::kStarted;
}

// Whether the one that it was found to wait for runs and has not come far enough.
bool Scheduler::still_waits(Job& job) const {
  if (job.waits_for == 0) return false;
  for (const auto& other : running_)
    if (other->id == job.waits_for && other->length() < job.waits_until) return true;
  job.waits_for = 0;
  return false;
}

// Whether it is better to wait for one that runs the same beginning now. If that has just run it,
// its state is stored here and now.
bool Scheduler::follows_another(Job& job, PrefixMatch& match) {
  const auto most = static_cast<int64_t>(job.line().size()) - 1;
  for (const auto& other : running_) {
    if (other->request.realm != job.request.realm) continue;
    if (other->request.priority < job.request.priority) continue;
    const int64_t same = std::min({common(other->tokens, job.line()), most, other->prompt()});
    if (same < match.usable + kWorthWaiting) continue;
    if (other->length() < same) {
      const int64_t until = plan_mark_for_others(*other, same);
      if (until < match.usable + kWorthWaiting) continue;
      job.waits_for = other->id;
      job.waits_until = until;
      return true;
    }
    if (other->sequence->floor() > same) continue;
    tree_.store(*other->sequence, same, Mark::kBranch, false, other->request.realm);
    match = tree_.find(job.line(), job.request.realm);  // refused or not, others may have gone
  }
  return false;
}

// Where the job will leave a snapshot that serves `same` of its tokens, or as many of them as its
// marks allow; 0 when none will.
int64_t Scheduler::plan_mark_for_others(Job& job, int64_t same) {
  int64_t below = 0;
  for (const PlannedMark& mark : job.marks) {
    if (mark.mark == Mark::kGrid) continue;  // wherever a step ends
    if (mark.at >= same && mark.at / kBlock * kBlock <= same) return mark.at;
    if (mark.at < same) below = std::max(below, mark.at);
  }
  if (job.marks_for_others == kMarksForOthers) return below;
  ++job.marks_for_others;
  ++counts_.marks_for_others;
  job.marks.push_back({same, Mark::kBranch});
  std::sort(job.marks.begin(), job.marks.end(),
            [](const PlannedMark& a, const PlannedMark& b) { return a.at > b.at; });
  return same;
}

void Scheduler::start(Job& job, bool from_tree) {
  if (job.tokens.empty()) {
    job.tokens = job.request.prompt.get();
    job.sampler.accept(job.tokens);
  }
  PrefixMatch match;
  if (!restore_from_disk(job, match)) {
    if (from_tree)
      job.sequence.emplace(tree_.start(job.tokens, match, job.request.realm));
    else
      job.sequence.emplace(engine_.pool());
  }
  job.marks = plan_marks(job.length(), job.prompt(), job.request.messages, match);
  std::reverse(job.marks.begin(), job.marks.end());
  // Whoever had to go back that far in an answer may have to once more.
  if (job.returned_to > std::max(job.prompt(), job.length()))
    job.marks.insert(job.marks.begin(), {job.returned_to, Mark::kBranch});
  job.slot = free_slot();  // anew after a step that broke off
  if (std::exchange(job.started, true)) return;
  job.outcome.queue_seconds = seconds_between(job.submitted, Clock::now());
  counts_.prompt_tokens += job.prompt();
  counts_.cached_tokens += match.usable;
  job.outcome.cached = std::move(match);
}

// ---- The end

void Scheduler::end(Job& job, EndReason reason, std::string error) {
  if (std::exchange(job.ended, true)) return;
  if (job.sequence && reason != EndReason::kFailed && job.length() >= job.sequence->floor()) {
    try {
      store(job, job.length(), job.answer() > 0 ? Mark::kEnd : Mark::kPrompt, true);
      note_slot(job);
    } catch (...) {
      // A favour to later requests; this one hears of its end in any case.
    }
  }
  job.sequence.reset();
  if (reading_ == job.id) end_reading();
  Outcome& outcome = job.outcome;
  outcome.reason = reason;
  outcome.error = std::move(error);
  // Takes no memory, so that whoever ends for want of it can still be told.
  if (!job.tokens.empty()) job.tokens.erase(job.tokens.begin(), job.tokens.begin() + job.prompt());
  outcome.tokens = std::move(job.tokens);
  outcome.seed = job.sampler.seed();
  outcome.seconds = seconds_between(job.submitted, Clock::now());
  if (!job.started) outcome.queue_seconds = outcome.seconds;
  ++counts_.ended;
  counts_.failed += reason == EndReason::kFailed;
  if (!job.request.on_end) return;
  try {
    job.request.on_end(outcome);
  } catch (...) {
    // Nobody is left to hear of it.
  }
}

void Scheduler::forget_ended() {
  for (auto* jobs : {&running_, &waiting_})
    std::erase_if(*jobs, [](const auto& job) { return job->ended; });
}

void Scheduler::publish() {
  counts_.running = static_cast<int64_t>(running_.size());
  counts_.waiting = static_cast<int64_t>(waiting_.size());
  counts_.prefix = tree_.usage();
  if (disk_) counts_.disk = disk_->stats();
  const std::lock_guard lock(mutex_);
  queued_ = counts_.waiting + static_cast<int64_t>(incoming_.size());
  published_ = counts_;
  published_slots_ = slot_infos();
}

}  // namespace braid
