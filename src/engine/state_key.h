// What decides the bits of a state beside the tokens, for DiskCacheOptions::key.
#pragma once

#include "engine/engine.h"

#include <string>
#include <string_view>

namespace braid {

// `model` names the model's files (format/fingerprint.h), `program` the build: another one may add
// up in another order. Threads, context and batch sizes play no part.
std::string state_key(const Engine& engine, std::string_view model, std::string_view program);

}  // namespace braid
