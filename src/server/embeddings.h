// Embeddings: the hidden vector of a text's last token, of length 1.
#pragma once

#include "server/api.h"

#include <memory>

namespace braid {

// POST /v1/embeddings. Refused unless the engine keeps hidden vectors.
void embeddings(Api& api, const std::shared_ptr<Exchange>& exchange);

}  // namespace braid
