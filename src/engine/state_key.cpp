#include "engine/state_key.h"

#include <fmt/format.h>

namespace braid {

std::string state_key(const Engine& engine, std::string_view model, std::string_view program) {
  const EngineOptions& o = engine.options();
  return fmt::format("model {}\nprogram {}\ndevice {}\ncache {} {}\ndrafts {}\n", model, program,
                     engine.device().name(), info(o.key_type).name, info(o.value_type).name,
                     o.draft);
}

}  // namespace braid
