// OpenAI's routes, with and without "/v1" in front.
#pragma once

#include "server/api.h"

#include <memory>

namespace braid {

void add_openai_routes(Api& api, Routes& routes);

void list_models(Api& api, const std::shared_ptr<Exchange>& exchange);
void tell_model(Api& api, const std::shared_ptr<Exchange>& exchange);
void chat_completions(Api& api, const std::shared_ptr<Exchange>& exchange);

}  // namespace braid
