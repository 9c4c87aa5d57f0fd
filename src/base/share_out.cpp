#include "base/share_out.h"

#include <atomic>

namespace braid {

void share_out(Team& team, size_t items, const std::function<void(size_t item, int thread)>& work,
               const std::function<void(size_t done)>& tick) {
  std::atomic<size_t> next{0}, done{0};
  const auto take = [&](int thread) {
    for (size_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;) {
      work(item, thread);
      done.fetch_add(1, std::memory_order_relaxed);
      if (thread == 0 && tick) tick(done.load(std::memory_order_relaxed));
    }
  };
  team.run(1, [&](int, int thread) {
    try {
      take(thread);
    } catch (...) {
      next.store(items, std::memory_order_relaxed);
      throw;
    }
  });
}

}  // namespace braid
