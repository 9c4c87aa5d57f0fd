#include "base/share_out.h"

#include "base/check.h"

#include <atomic>
#include <deque>
#include <vector>

namespace braid {
namespace {

using Work = std::function<void(size_t item, int thread)>;
using Tick = std::function<void(size_t done)>;

struct Queue {
  std::vector<size_t> items{};  // empty: all from 0 to count - 1
  size_t count = 0;
  std::atomic<size_t> next{0};
};

// queue(thread) is where a thread takes its items from.
template <class QueueOf>
void empty_queues(Team& team, std::deque<Queue>& queues, QueueOf&& queue_of, const Work& work,
                  const Tick& tick) {
  std::atomic<size_t> done{0};
  const auto take = [&](Queue& queue, int thread) {
    for (size_t i; (i = queue.next.fetch_add(1, std::memory_order_relaxed)) < queue.count;) {
      work(queue.items.empty() ? i : queue.items[i], thread);
      done.fetch_add(1, std::memory_order_relaxed);
      if (thread == 0 && tick) tick(done.load(std::memory_order_relaxed));
    }
  };
  team.run(1, [&](int, int thread) {
    try {
      take(queue_of(thread), thread);
    } catch (...) {
      for (Queue& queue : queues) queue.next.store(queue.count, std::memory_order_relaxed);
      throw;
    }
  });
}

}  // namespace

void share_out(Team& team, size_t items, const Work& work, const Tick& tick) {
  std::deque<Queue> one(1);
  one[0].count = items;
  empty_queues(
      team, one, [&](int) -> Queue& { return one[0]; }, work, tick);
}

void share_out_by_node(Team& team, size_t items, const std::function<int(size_t item)>& node_of,
                       const Work& work, const Tick& tick) {
  if (team.nodes() < 2) return share_out(team, items, work, tick);
  std::deque<Queue> queues(static_cast<size_t>(team.nodes()));
  for (size_t item = 0; item < items; ++item) {
    Queue& queue = queues.at(static_cast<size_t>(node_of(item)));
    queue.items.push_back(item);
    ++queue.count;
  }
  std::vector<bool> served(queues.size());
  for (int t = 0; t < team.threads(); ++t) served.at(static_cast<size_t>(team.node(t))) = true;
  for (size_t node = 0; node < queues.size(); ++node) CHECK(served[node] || !queues[node].count);
  empty_queues(
      team, queues,
      [&](int thread) -> Queue& { return queues[static_cast<size_t>(team.node(thread))]; }, work,
      tick);
}

}  // namespace braid
