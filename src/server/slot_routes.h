// GET /slots and llama-server's actions on slots: save, restore and erase what a conversation left.
#pragma once

#include "server/api.h"

namespace braid {

void add_slot_routes(Api& api, Routes& routes);

}  // namespace braid
