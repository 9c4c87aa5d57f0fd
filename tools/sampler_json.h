// Sampling options as fields of a request to a server: only what somebody asked for, so that all
// else is as the server has it.
#pragma once

#include "tools/sampler_options.h"

#include <nlohmann/json_fwd.hpp>

namespace braid {

nlohmann::ordered_json sampler_json(const SamplerOverrides& overrides);

}  // namespace braid
