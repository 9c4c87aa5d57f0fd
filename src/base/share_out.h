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

}  // namespace braid
