// The scheduler's steps: who is in one, what follows from it, and what when it breaks off.
#include "base/check.h"
#include "engine/scheduler_job.h"

#include <algorithm>
#include <cmath>

namespace braid {

namespace {

// Whoever cancels waits so many seconds without complaint.
constexpr double kSoonEnough = 0.25;

}  // namespace

void Scheduler::step() {
  if (running_.empty()) return;
  const std::vector<Job*> jobs = take_turns();
  std::vector<Work> work;
  for (const Job* job : jobs) {
    Work w{job->pending(), job->pending(), job->decoding(), job->request.priority, job->id};
    // From there the ring still reaches back to the mark. Those of the grid take what they get: a
    // step more would read the weights once more.
    const auto mark = std::find_if(job->marks.rbegin(), job->marks.rend(),
                                   [](const PlannedMark& m) { return m.mark != Mark::kGrid; });
    if (mark != job->marks.rend()) w.until = mark->at + kBlock - job->length();
    if (job->length() < job->suspect_from)
      w.until = std::min(w.until, job->suspect_from - job->length());
    work.push_back(w);
  }
  const bool alone = running_.size() == 1 && waiting_.empty();
  StepBudget& budget = alone ? alone_ : shared_;
  const std::vector<int64_t> rows = plan_rows(work, budget.rows(), engine_.options().ubatch);
  const auto before = Clock::now();
  if (!run(jobs, rows)) return;
  const double seconds = seconds_between(before, Clock::now());
  int64_t all = 0;
  for (const int64_t n : rows) all += n;
  budget.note(all, seconds);
  last_step_seconds_ = seconds;
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

// Whether the step came to its end.
bool Scheduler::run(std::span<Job* const> jobs, std::span<const int64_t> rows) {
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
  bool done = false;
  std::string error;
  announce(fed, fed_rows);
  try {
    CHECK(tree_.make_room(missing));
    done = engine_.step(feeds, &stop_);
  } catch (...) {
    error = caught();
    if (error.empty()) error = "a step failed";
  }
  last_stopped_ = !done && error.empty();
  withdraw();
  if (!done) {
    last_stopped_ ? step_stopped(fed) : step_failed(fed, fed_rows, error);
    return false;
  }
  int64_t row = 0, hidden_row = -1;
  for (size_t i = 0; i < fed.size(); ++i) {
    const bool chooses = feeds[i].logits > 0;
    hidden_row += fed_rows[i];
    try {
      const bool prompt_ends = fed[i]->answer() == 0 && fed[i]->pending() == 0;
      if (prompt_ends && fed[i]->request.on_hidden) tell_hidden(*fed[i], hidden_row);
      went_on(*fed[i], fed_rows[i], chooses ? engine_.logits(row) : std::span<const float>());
    } catch (...) {
      end(*fed[i], EndReason::kFailed, caught());
    }
    row += chooses;
  }
  return true;
}

// Tells cancel() what a stop would cost: who loses the state that the step began with.
void Scheduler::announce(std::span<Job* const> jobs, std::span<const int64_t> rows) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < jobs.size(); ++i)
    stepping_.push_back({jobs[i]->id, jobs[i]->sequence->survives(rows[i])});
  // Company loses the time of this step, so it must be worth it, and not again and again.
  may_disturb_ = last_step_seconds_ > kSoonEnough && !last_stopped_;
  stop_for_cancelled();
}

void Scheduler::withdraw() {
  const std::lock_guard lock(mutex_);
  stepping_.clear();
  stop_ = false;
}

// With the mutex held. Ends the step that runs now, if that is all right with all who are in it.
void Scheduler::stop_for_cancelled() {
  bool cancelled = false, company = false;
  for (const InStep& one : stepping_) {
    if (cancelled_.contains(one.id)) {
      cancelled = true;
      continue;
    }
    if (!one.survives) return;
    company = true;
  }
  if (cancelled && (!company || may_disturb_)) stop_ = true;
}

void Scheduler::went_on(Job& job, int64_t rows, std::span<const float> logits) {
  const int64_t from = job.length() - rows;
  const int64_t of_prompt = std::max<int64_t>(std::min(job.length(), job.prompt()) - from, 0);
  job.outcome.prompt_rows += of_prompt;
  counts_.prompt_rows += of_prompt;
  store_marks(job);
  const bool first = job.outcome.first_token_seconds == 0;
  if (of_prompt > 0 && first && job.request.on_progress)
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
    const bool another = !job.marks.empty() && job.marks.back().at <= job.length();
    if (mark.at >= job.sequence->floor())
      store(job, mark.at, mark.mark, false);
    else if (mark.mark == Mark::kGrid && !another)
      store(job, job.length(), mark.mark, false);
  }
}

void Scheduler::store(Job& job, int64_t length, Mark mark, bool ended) {
  tree_.store(*job.sequence, length, mark, ended, job.request.realm);
}

// Logits and vectors that are no numbers: nobody can tell since when, so nobody goes on from there.
int32_t Scheduler::sample(Job& job, std::span<const float> logits) {
  try {
    return job.sampler.sample(logits, workspace_);
  } catch (const InternalError&) {
    tree_.forget(job.tokens, job.request.realm);
    throw;
  }
}

void Scheduler::tell_hidden(Job& job, int64_t row) {
  const std::span<const float> hidden = engine_.hidden(row);
  const auto is_number = [](float x) { return std::isfinite(x); };
  if (!std::ranges::all_of(hidden, is_number)) {
    tree_.forget(job.tokens, job.request.realm);
    throw InternalError("the vector of the prompt holds what is no number");
  }
  job.request.on_hidden(hidden);
}

void Scheduler::choose(Job& job, std::span<const float> logits) {
  // Others wait meanwhile, so who tries more often has to come again in the next step.
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i)
    if (choose_once(job, logits)) return;
  job.sequence->truncate(static_cast<int64_t>(job.tokens.size()) - 1);
}

// False: another token is to be chosen in its place.
bool Scheduler::choose_once(Job& job, std::span<const float> logits) {
  int32_t token = job.request.forced ? job.request.forced() : -1;
  const bool forced = token >= 0;
  try {
    if (!forced) token = sample(job, logits);
  } catch (const NothingMayFollow&) {
    end(job, EndReason::kBanned);
    return true;
  }
  if (job.outcome.first_token_seconds == 0)
    job.outcome.first_token_seconds = seconds_between(job.submitted, Clock::now());
  const auto& ends = job.request.end_tokens;
  const bool is_end = std::find(ends.begin(), ends.end(), token) != ends.end();
  if (!forced && job.request.judge) {
    if (const auto back = job.request.judge(token, is_end)) return step_back(job, *back);
  }
  if (is_end) {
    job.outcome.end_token = token;
    end(job, EndReason::kEndToken);
    return true;
  }
  job.sampler.accept(token);
  job.tokens.push_back(token);
  ++counts_.answer_tokens;
  if (job.request.on_token && !job.request.on_token(token, logits))
    end(job, EndReason::kStopped);
  else if (job.answer() == job.most)
    end(job, job.most == job.request.max_tokens ? EndReason::kMaxTokens : EndReason::kContextFull);
  return true;
}

// Before what is taken back its last token's row runs again. False: nothing is, so its logits are
// still at hand.
bool Scheduler::step_back(Job& job, const StepBack& back) {
  if (back.ends) {
    end(job, EndReason::kStopped);
    return true;
  }
  CHECK(back.keep >= 0 && back.keep <= job.answer());
  const int64_t n = job.answer() - back.keep;
  job.sampler.rewind(static_cast<size_t>(n));
  for (const StepBack::Bias& bias : back.biases)
    job.sampler.bias_at(static_cast<size_t>(job.prompt() + bias.place), bias.token, bias.bias);
  if (n == 0) return false;
  job.tokens.resize(job.tokens.size() - static_cast<size_t>(n));
  const auto length = static_cast<int64_t>(job.tokens.size()) - 1;
  if (length >= job.sequence->floor()) {
    job.sequence->truncate(length);
  } else {
    job.returned_to = length;
    wait_again(job);
  }
  return true;
}

// Who was alone is at fault; others run alone until they are past this step. A state that was lost
// is run again, and becomes what it was, so nobody sees more of it than the time.
void Scheduler::step_failed(std::span<Job* const> jobs, std::span<const int64_t> rows,
                            const std::string& what) {
  ++counts_.failed_steps;
  if (jobs.size() == 1) return end(*jobs.front(), EndReason::kFailed, what);
  for (size_t i = 0; i < jobs.size(); ++i) {
    jobs[i]->suspect_from = jobs[i]->length();
    jobs[i]->suspect_until = jobs[i]->length() + rows[i];
  }
  begin_again(jobs);
}

// For those who were cancelled; the others have lost a step's time.
void Scheduler::step_stopped(std::span<Job* const> jobs) {
  ++counts_.stopped_steps;
  std::vector<Job*> others;
  {
    const std::lock_guard lock(mutex_);
    for (Job* job : jobs)
      if (!cancelled_.contains(job->id)) others.push_back(job);
  }
  begin_again(others);
}

// Those of them whose state a step that broke off has spoilt wait for another start.
void Scheduler::begin_again(std::span<Job* const> jobs) {
  for (Job* job : jobs) {
    if (job->length() >= job->sequence->floor()) continue;
    wait_again(*job);
  }
}

// For another start, from the deepest state of its tokens that there is.
void Scheduler::wait_again(Job& job) {
  job.sequence.reset();
  const auto at = std::find_if(running_.begin(), running_.end(),
                               [&](const auto& running) { return running.get() == &job; });
  waiting_.push_back(std::move(*at));
  running_.erase(at);
}

}  // namespace braid
