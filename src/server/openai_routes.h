// OpenAI's routes, with and without "/v1" in front.
#pragma once

#include "server/api.h"

namespace braid {

void add_openai_routes(Api& api, Routes& routes);

}  // namespace braid
