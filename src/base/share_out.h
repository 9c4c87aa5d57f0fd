// Many items of work shared out to a team one by one: who is done takes the next, so that all
// threads end at nearly the same time however uneven the items are.
#pragma once

#include "base/team.h"

#include <cstddef>
#include <functional>

namespace braid {

// `tick` is called on the caller's thread between its items with the number of items that are done.
// After an exception of any thread, `tick` among them, nobody takes another item; it is rethrown.
void share_out(Team& team, size_t items, const std::function<void(size_t item, int thread)>& work,
               const std::function<void(size_t done)>& tick = {});

// The same with a queue for each memory node that the team is bound to: an item is done by a thread
// of its node, which is then the first to touch what it makes. Nobody takes from another's queue.
void share_out_by_node(Team& team, size_t items, const std::function<int(size_t item)>& node_of,
                       const std::function<void(size_t item, int thread)>& work,
                       const std::function<void(size_t done)>& tick = {});

}  // namespace braid
