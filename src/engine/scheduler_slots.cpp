// What slots are to clients that know them: which request runs in which, and what the last one
// left.
#include "base/check.h"
#include "engine/scheduler_job.h"

#include <algorithm>
#include <future>
#include <utility>

namespace braid {

// The lowest number that nobody has.
int Scheduler::free_slot() const {
  for (int slot = 0;; ++slot)
    if (std::none_of(running_.begin(), running_.end(),
                     [&](const auto& job) { return job && job->slot == slot; }))
      return slot;
}

void Scheduler::note_slot(const Job& job) {
  const auto run = job.tokens.begin() + job.length();
  slot_tokens_[{job.request.realm, job.slot}].assign(job.tokens.begin(), run);
}

std::vector<SlotInfo> Scheduler::slot_infos() const {
  std::vector<SlotInfo> infos(static_cast<size_t>(engine_.options().sequences));
  for (const auto& job : running_) {
    SlotInfo& info = infos.at(static_cast<size_t>(job->slot));
    info.id = job->id;
    info.realm = job->request.realm;
    info.prompt = job->prompt();
    info.cached = job->outcome.cached.usable;
    info.done = std::min(job->length(), job->prompt());
    info.answer = job->answer();
    info.most = job->most;
  }
  return infos;
}

std::vector<SlotInfo> Scheduler::slots() const {
  const std::lock_guard lock(mutex_);
  return published_slots_;
}

// Runs it between two steps, once it is ready, and waits for that; what it throws comes out here.
template <class F>
auto Scheduler::between_steps(F f, std::function<bool()> ready) -> decltype(f()) {
  auto task = std::make_shared<std::packaged_task<decltype(f())()>>(std::move(f));
  auto result = task->get_future();
  {
    const std::lock_guard lock(mutex_);
    if (closing_) throw ShuttingDown("shutting down: no more requests are taken");
    errands_.push_back([task, ready = std::move(ready)] {
      if (ready && !ready()) return false;
      (*task)();
      return true;
    });
  }
  task.reset();  // the queue's copy alone decides how long somebody may wait
  came_.notify_one();
  try {
    return result.get();
  } catch (const std::future_error&) {
    throw ShuttingDown("shutting down: no more requests are taken");
  }
}

void Scheduler::run_errands() {
  std::vector<Errand> errands = std::exchange(patient_, {});
  {
    const std::lock_guard lock(mutex_);
    errands.insert(errands.end(), errands_.begin(), errands_.end());
    errands_.clear();
  }
  for (Errand& errand : errands) {
    const Errand now = std::exchange(errand, nullptr);
    if (!now()) patient_.push_back(now);
  }
}

bool Scheduler::has_room(int64_t pages) const {
  return static_cast<int>(running_.size()) < engine_.options().sequences && has_pages(pages);
}

const std::vector<int32_t>& Scheduler::slot_line(int slot, int realm) const {
  const auto found = slot_tokens_.find({realm, slot});
  if (found == slot_tokens_.end() || found->second.empty())
    throw SlotEmpty(
        fmt::format("slot {} has nothing yet: no request of this client has ended there", slot));
  return found->second;
}

SlotState Scheduler::copy_slot(int slot, int realm) {
  return between_steps([this, slot, realm] {
    const std::vector<int32_t>& line = slot_line(slot, realm);
    const auto last = tree_.last_state(line, realm);
    SlotState state;
    if (last) {
      state.tokens = last->tokens;
      state.recurrent = last->recurrent;
      state.mark = static_cast<uint32_t>(last->mark);
      state.rows.rows = static_cast<int64_t>(state.tokens.size());
    }
    if (!last || !tree_.copy_rows(state.tokens, realm, state.rows))
      throw SlotEmpty(
          fmt::format("what slot {} left is not in memory any more: others needed the room", slot));
    return state;
  });
}

void Scheduler::restore_slot(int slot, int realm, const SlotState& state,
                             const std::function<bool()>& wanted) {
  const auto length = static_cast<int64_t>(state.tokens.size());
  const int64_t pages = StatePool::pages_for(length);
  if (length > engine_.options().context || pages > engine_.pool().options().pages)
    fail("a conversation of {} tokens: the context is {} and there is room for {}", length,
         engine_.options().context, engine_.pool().options().pages * kPageTokens);
  const auto ready = [this, pages, &wanted] {
    return running_.empty() || has_room(pages) || !wanted();
  };
  const auto restore_it = [this, slot, realm, length, pages, &state, &wanted] {
    if (!wanted()) throw SlotBusy("nobody waits for this any more");
    if (!has_room(pages) || !tree_.make_room(pages))
      throw SlotBusy("what is in use leaves no room for it; try again later");
    const Sequence sequence =
        restore(engine_.pool(), state.tokens, *state.recurrent, std::span(&state.rows, 1));
    const auto mark = static_cast<Mark>(std::min<uint32_t>(state.mark, kMarks - 1));
    if (!tree_.store(sequence, length, mark, true, realm))
      throw SlotBusy("what others left is worth more than this, and there is no room for both");
    slot_tokens_[{realm, slot}] = state.tokens;
  };
  between_steps(restore_it, ready);
}

int64_t Scheduler::erase_slot(int slot, int realm) {
  return between_steps([this, slot, realm]() -> int64_t {
    const auto found = slot_tokens_.find({realm, slot});
    if (found == slot_tokens_.end()) return 0;
    const std::vector<int32_t> line = std::move(found->second);
    slot_tokens_.erase(found);
    const auto length = [&] {
      const auto last = tree_.last_state(line, realm);
      return last ? static_cast<int64_t>(last->tokens.size()) : 0;
    };
    const int64_t before = length();
    tree_.forget_end(line, realm);
    return before - length();
  });
}

}  // namespace braid
