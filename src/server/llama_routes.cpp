#include "server/llama_routes.h"

namespace braid {

void add_llama_routes(Api&, Routes&) {}

}  // namespace braid
