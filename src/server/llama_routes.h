// Routes that clients of llama-server know.
#pragma once

#include "server/api.h"

namespace braid {

void add_llama_routes(Api& api, Routes& routes);

}  // namespace braid
