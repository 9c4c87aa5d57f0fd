// The scheduler and its disk: who waits for a state that is there, and when states are written.
#include "base/check.h"
#include "engine/scheduler_job.h"

#include <algorithm>
#include <utility>

namespace braid {

namespace {

// A prompt waits for the disk when that spares so many tokens.
constexpr int64_t kWorthReading = 64;
// Tokens that a state must be expected to spare to be written while others wait for the thread, and
// while nobody does.
constexpr double kWorthSaving = 64, kWorthSavingIdle = 8;

}  // namespace

std::unique_ptr<DiskCache> Scheduler::open_disk() {
  if (options_.disk.folder.empty()) return nullptr;
  return std::make_unique<DiskCache>(engine_.pool(), options_.disk, [this] {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    came_.notify_one();
  });
}

// One at a time is read, or has been read and could not start yet: it takes memory.
bool Scheduler::awaits_disk(const Job& job) const {
  return reading_ != 0 && job.wants_disk && !job.state;
}

// Whether the job has to wait for what the disk has of it, beyond the first `usable` tokens.
bool Scheduler::read_from_disk(Job& job, int64_t usable) {
  job.wants_disk = false;
  if (!disk_ || job.state || job.asked_disk) return false;
  const DiskIndex::Found found = disk_->find(job.request.realm, job.line());
  if (found.id == 0 || found.usable < usable + kWorthReading) return false;
  job.wants_disk = true;
  if (reading_ != 0) return true;
  job.asked_disk = true;
  job.state_usable = found.usable;
  reading_ = job.id;
  unwanted_ = {};
  disk_->load(found.id, unwanted_.get_token(),
              [this, id = job.id](std::unique_ptr<DiskState> state) {
                const std::lock_guard lock(mutex_);
                read_[id] = std::move(state);
              });
  return true;
}

void Scheduler::take_read() {
  std::map<RequestId, std::unique_ptr<DiskState>> read;
  {
    const std::lock_guard lock(mutex_);
    read.swap(read_);
  }
  const auto found = read.find(reading_);
  if (reading_ == 0 || found == read.end()) return;  // the others have ended meanwhile
  for (const auto& job : waiting_)
    if (job->id == reading_) job->state = std::move(found->second);
  for (const auto& job : waiting_)
    if (job->id == reading_ && job->state) return;
  reading_ = 0;
}

// Who read or has read needs it no more; another may.
void Scheduler::end_reading() {
  unwanted_.request_stop();
  reading_ = 0;
}

// The job begins with what was read for it, which others find in the tree from now on.
bool Scheduler::restore_from_disk(Job& job, PrefixMatch& match) {
  const std::unique_ptr<DiskState> state = std::move(job.state);
  if (!state) return false;
  reading_ = 0;
  const auto length = static_cast<int64_t>(state->tokens.size());
  if (!tree_.make_room(StatePool::pages_for(length))) return false;
  job.sequence.emplace(restore(engine_.pool(), state->tokens, state->recurrent, state->parts));
  saver_->note_restored(*job.sequence, state->mark, job.request.realm);
  job.sequence->rewind(length - job.state_usable);
  match = tree_.find(job.tokens, job.request.realm);
  match.usable = job.state_usable;
  match.known = std::max(match.known, match.usable);
  match.from_disk = true;
  if (match.usable + 1 == static_cast<int64_t>(job.tokens.size())) match.missed = Missed::kNothing;
  if (!job.started) counts_.disk_tokens += match.usable;
  return true;
}

void Scheduler::save_some() {
  if (saver_) more_to_save_ = saver_->some(running_.empty() ? kWorthSavingIdle : kWorthSaving);
}

// At the end of everything, within the time that there is.
void Scheduler::finish_saving() {
  if (!saver_) return;
  const auto until =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(options_.disk.finish_seconds));
  while (Clock::now() < until) {
    const bool idle = disk_->idle();  // asked first: it may become so
    if (saver_->some(kWorthSavingIdle)) continue;
    if (idle) return;
    std::unique_lock lock(mutex_);
    came_.wait_until(lock, until, [&] { return std::exchange(woken_, false); });
  }
}

}  // namespace braid
