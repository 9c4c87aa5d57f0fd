#include "engine/scheduler.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace braid {

namespace {

PrefixTreeOptions fitting(PrefixTreeOptions options, const Engine& engine) {
  options.drafts = engine.options().draft;
  return options;
}

// A prompt waits for another that is running when that spares so many tokens.
constexpr int64_t kWorthWaiting = 64;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

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
  }
  return "";
}

// A request on its way. What it is worth is `tokens`: prompt and answer so far. Its sequence runs
// after them, all but the last token at the most while it decodes, and may be taken away and begun
// anew at any time.
struct Scheduler::Job {
  Job(RequestId number, Request&& from, const SamplerVocabulary& vocabulary)
      : id(number),
        request(std::move(from)),
        tokens(request.prompt),
        sampler(request.sampling, vocabulary) {}

  int64_t prompt() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t answer() const { return static_cast<int64_t>(tokens.size()) - prompt(); }
  int64_t length() const { return sequence ? sequence->length() : 0; }
  int64_t pending() const { return static_cast<int64_t>(tokens.size()) - length(); }
  bool suspect() const { return length() < suspect_until; }
  bool decoding() const { return pending() == 1 && answer() > 0; }

  RequestId id;
  Request request;
  Clock::time_point submitted;
  int64_t pages = 0;  // that it may need at the most
  int64_t most = 0;   // tokens of the answer
  std::vector<int32_t> tokens;
  Sampler sampler;
  std::optional<Sequence> sequence;
  std::vector<PlannedMark> marks;  // to come, the next one last
  Outcome outcome;
  bool started = false, ended = false;
  int64_t suspect_until = 0;  // where a step would have brought it that failed
};

Scheduler::Scheduler(Engine& engine, const SamplerVocabulary& vocabulary,
                     const SchedulerOptions& options)
    : engine_(engine),
      vocabulary_(vocabulary),
      options_(options),
      tree_(engine.pool(), fitting(options.prefix, engine)),
      shared_(options.shared_seconds, engine.options().ubatch),
      alone_(options.alone_seconds, engine.options().ubatch),
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
  job->sampler.accept(job->request.prompt);
  job->submitted = Clock::now();
  // The last token of an answer does not run.
  const int64_t room = planned.context - prompt + 1, wanted = job->request.max_tokens;
  job->most = wanted < 0 ? room : std::min(wanted, room);
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
      admit();
      step();
    } catch (const std::exception& error) {
      fail_all(error.what());
    }
    forget_ended();
    publish();
  }
}

// Braid contradicts itself outside of any request: none of them can be trusted to be whole.
void Scheduler::fail_all(const char* what) {
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
    const bool idle = running_.empty() && waiting_.empty();
    came_.wait(lock,
               [&] { return !idle || !incoming_.empty() || !cancelled_.empty() || closing_; });
    counts_.submitted += static_cast<int64_t>(incoming_.size());
    for (auto& job : incoming_) waiting_.push_back(std::move(job));
    incoming_.clear();
    cancelled.swap(cancelled_);
    if (closing_ && running_.empty() && waiting_.empty()) return false;
    handing_back = closing_ && Clock::now() >= closing_at_;
  }
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

void Scheduler::admit() {
  std::sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
    return a->request.priority != b->request.priority ? a->request.priority > b->request.priority
                                                      : a->id < b->id;
  });
  for (auto& job : waiting_) {
    if (static_cast<int>(running_.size()) == engine_.options().sequences) break;
    try {
      const Admission admission = try_admit(*job);
      if (admission == Admission::kNoRoom) break;
      if (admission == Admission::kStarted) running_.push_back(std::move(job));
    } catch (const std::exception& error) {
      end(*job, EndReason::kFailed, error.what());
    }
  }
  std::erase(waiting_, nullptr);
  forget_ended();
  CHECK(!running_.empty() || waiting_.empty());
}

Scheduler::Admission Scheduler::try_admit(Job& job) {
  PrefixMatch match = tree_.find(job.tokens);
  if (follows_another(job, match)) return Admission::kWaits;
  const int64_t free =
      engine_.pool().free_pages() + tree_.reclaimable_pages(match.kept) - promised_pages();
  const bool fits = job.pages - static_cast<int64_t>(match.shared.size()) <= free;
  // Alone it fits in any case, but perhaps not beside what it would have started from.
  if (!fits && !running_.empty()) return Admission::kNoRoom;
  start(job, fits);
  return Admission::kStarted;
}

// Whether it is better to wait for one that runs the same beginning now. If that has just run it,
// its state is stored here and now.
bool Scheduler::follows_another(const Job& job, PrefixMatch& match) {
  const auto most = static_cast<int64_t>(job.tokens.size()) - 1;
  for (const auto& other : running_) {
    if (other->request.priority < job.request.priority) continue;
    const int64_t same = std::min({common(other->tokens, job.tokens), most, other->prompt()});
    if (same < match.usable + kWorthWaiting) continue;
    if (other->length() < same) {
      const bool planned = std::any_of(
          other->marks.begin(), other->marks.end(),
          [&](const PlannedMark& m) { return m.at >= same && m.at / kBlock * kBlock <= same; });
      if (!planned) {
        other->marks.push_back({same, Mark::kBranch});
        std::sort(other->marks.begin(), other->marks.end(),
                  [](const PlannedMark& a, const PlannedMark& b) { return a.at > b.at; });
      }
      return true;
    }
    if (other->sequence->floor() > same) continue;
    tree_.store(*other->sequence, same, Mark::kBranch, false);
    match = tree_.find(job.tokens);  // refused or not, others may have gone
  }
  return false;
}

void Scheduler::start(Job& job, bool from_tree) {
  PrefixMatch match;
  if (from_tree)
    job.sequence.emplace(tree_.start(job.tokens, match));
  else
    job.sequence.emplace(engine_.pool());
  job.marks = plan_marks(job.length(), job.prompt(), job.request.messages, match);
  std::reverse(job.marks.begin(), job.marks.end());
  if (std::exchange(job.started, true)) return;
  job.outcome.queue_seconds = seconds_between(job.submitted, Clock::now());
  counts_.prompt_tokens += job.prompt();
  counts_.cached_tokens += match.usable;
  job.outcome.cached = std::move(match);
}

// ---- A step

void Scheduler::step() {
  if (running_.empty()) return;
  // Those in front get the rows that are left over.
  std::rotate(running_.begin(), running_.begin() + 1, running_.end());
  const std::vector<Job*> jobs = take_turns();
  std::vector<Work> work;
  for (const Job* job : jobs) {
    Work w{job->pending(), job->pending(), job->decoding(), job->request.priority};
    // From there the ring still reaches back to the mark.
    if (!job->marks.empty()) w.until = job->marks.back().at + kBlock - job->length();
    work.push_back(w);
  }
  const bool alone = running_.size() == 1 && waiting_.empty();
  StepBudget& budget = alone ? alone_ : shared_;
  const std::vector<int64_t> rows = plan_rows(work, budget.rows(), engine_.options().ubatch);
  const auto before = Clock::now();
  run(jobs, rows);
  const double seconds = seconds_between(before, Clock::now());
  int64_t all = 0;
  for (const int64_t n : rows) all += n;
  budget.note(all, seconds);
  counts_.longest_step_seconds = std::max(counts_.longest_step_seconds, seconds);
}

// All that run, or the first of those alone that were in a step that failed.
std::vector<Scheduler::Job*> Scheduler::take_turns() const {
  std::vector<Job*> jobs;
  for (const auto& job : running_) {
    if (job->suspect()) return {job.get()};
    jobs.push_back(job.get());
  }
  return jobs;
}

void Scheduler::run(std::span<Job* const> jobs, std::span<const int64_t> rows) {
  std::vector<Feed> feeds;
  std::vector<Job*> fed;
  std::vector<int64_t> fed_rows;
  int64_t missing = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (rows[i] == 0) continue;
    Job& job = *jobs[i];
    const auto tokens =
        std::span(job.tokens)
            .subspan(static_cast<size_t>(job.length()), static_cast<size_t>(rows[i]));
    const bool chooses = rows[i] == job.pending() && job.answer() < job.most;
    feeds.push_back({&*job.sequence, tokens, chooses});
    fed.push_back(&job);
    fed_rows.push_back(rows[i]);
    missing += StatePool::pages_for(job.length() + rows[i]) -
               static_cast<int64_t>(job.sequence->pages().size());
  }
  ++counts_.steps;
  try {
    CHECK(tree_.make_room(missing));
    engine_.step(feeds);
  } catch (const std::exception& error) {
    return step_failed(fed, fed_rows, error.what());
  }
  int64_t row = 0, hidden_row = -1;
  for (size_t i = 0; i < fed.size(); ++i) {
    const bool chooses = feeds[i].logits > 0;
    hidden_row += fed_rows[i];
    try {
      const bool prompt_ends = fed[i]->answer() == 0 && fed[i]->pending() == 0;
      if (prompt_ends && fed[i]->request.on_hidden)
        fed[i]->request.on_hidden(engine_.hidden(hidden_row));
      went_on(*fed[i], fed_rows[i], chooses ? engine_.logits(row) : std::span<const float>());
    } catch (const std::exception& error) {
      end(*fed[i], EndReason::kFailed, error.what());
    }
    row += chooses;
  }
}

void Scheduler::went_on(Job& job, int64_t rows, std::span<const float> logits) {
  const int64_t from = job.length() - rows;
  const int64_t of_prompt = std::max<int64_t>(std::min(job.length(), job.prompt()) - from, 0);
  job.outcome.prompt_rows += of_prompt;
  counts_.prompt_rows += of_prompt;
  store_marks(job);
  if (of_prompt > 0 && job.request.on_progress)
    job.request.on_progress(
        {job.prompt(), job.outcome.cached.usable, std::min(job.length(), job.prompt())});
  if (!logits.empty())
    choose(job, logits);
  else if (job.pending() == 0)
    end(job, EndReason::kMaxTokens);  // of 0
}

void Scheduler::store_marks(Job& job) {
  while (!job.marks.empty() && job.marks.back().at <= job.length()) {
    const PlannedMark mark = job.marks.back();
    job.marks.pop_back();
    if (mark.at >= job.sequence->floor()) tree_.store(*job.sequence, mark.at, mark.mark, false);
  }
}

void Scheduler::choose(Job& job, std::span<const float> logits) {
  const int32_t forced = job.request.forced ? job.request.forced() : -1;
  const int32_t token = forced >= 0 ? forced : job.sampler.sample(logits, workspace_);
  if (job.answer() == 0)
    job.outcome.first_token_seconds = seconds_between(job.submitted, Clock::now());
  const auto& ends = job.request.end_tokens;
  if (std::find(ends.begin(), ends.end(), token) != ends.end()) {
    job.outcome.end_token = token;
    return end(job, EndReason::kEndToken);
  }
  job.sampler.accept(token);
  job.tokens.push_back(token);
  ++counts_.answer_tokens;
  if (job.request.on_token && !job.request.on_token(token, logits))
    return end(job, EndReason::kStopped);
  if (job.answer() == job.most)
    end(job, job.most == job.request.max_tokens ? EndReason::kMaxTokens : EndReason::kContextFull);
}

// Who was alone is at fault; others run alone until they are past this step. A state that was lost
// is run again, and becomes what it was, so nobody sees more of it than the time.
void Scheduler::step_failed(std::span<Job* const> jobs, std::span<const int64_t> rows,
                            const char* what) {
  ++counts_.failed_steps;
  if (jobs.size() == 1) return end(*jobs.front(), EndReason::kFailed, what);
  for (size_t i = 0; i < jobs.size(); ++i) {
    Job* job = jobs[i];
    job->suspect_until = job->length() + rows[i];
    if (job->length() >= job->sequence->floor()) continue;
    job->sequence.reset();
    const auto at = std::find_if(running_.begin(), running_.end(),
                                 [&](const auto& running) { return running.get() == job; });
    waiting_.push_back(std::move(*at));
    running_.erase(at);
  }
}

// ---- The end

void Scheduler::end(Job& job, EndReason reason, const std::string& error) {
  if (std::exchange(job.ended, true)) return;
  if (job.sequence && reason != EndReason::kFailed && job.length() >= job.sequence->floor()) {
    try {
      tree_.store(*job.sequence, job.length(), job.answer() > 0 ? Mark::kEnd : Mark::kPrompt, true);
    } catch (const std::exception&) {
      // A favour to later requests; this one hears of its end in any case.
    }
  }
  job.sequence.reset();
  Outcome& outcome = job.outcome;
  outcome.reason = reason;
  outcome.error = error;
  outcome.tokens.assign(job.tokens.begin() + job.prompt(), job.tokens.end());
  outcome.seed = job.sampler.seed();
  outcome.seconds = seconds_between(job.submitted, Clock::now());
  ++counts_.ended;
  counts_.failed += reason == EndReason::kFailed;
  if (!job.request.on_end) return;
  try {
    job.request.on_end(outcome);
  } catch (const std::exception&) {
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
  const std::lock_guard lock(mutex_);
  queued_ = counts_.waiting + static_cast<int64_t>(incoming_.size());
  published_ = counts_;
}

}  // namespace braid
