// From noted matrices to packed ones in memory: packed now, or mapped from the pack cache.
#pragma once

#include "base/team.h"
#include "device/cpu/pack_cache.h"
#include "device/cpu/pack_plan.h"
#include "device/device.h"

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace braid::cpu {

// A matrix that waits to be packed. `exact`: its inputs must stay f32, so a quantised one is
// kept as F32.
struct Pending {
  Matrix* matrix;
  bool exact;
};

// Decides how each matrix is kept. That of f32 matrices depends on their values, which are read
// unless `describing`.
void settle_types(std::span<const Pending> pending, bool describing, Team& team,
                  const LoadRequest& request);

// The packed weights of a device, wherever they lie.
struct PackedWeights {
  Buffer memory;
  std::optional<MappedPack> file;

  const std::byte* region() const { return file ? file->bytes().data() : memory.data(); }
};

using Allocate = std::function<Buffer(size_t bytes)>;  // zeroed memory

// Packs all of a plan into memory.
Buffer pack_into_memory(const PackPlan& plan, Team& team, const Allocate& allocate,
                        const LoadRequest& request);
// From the cache in `folder`, which is written when it does not have them. What is wrong with the
// cache costs time, never the start: then they are packed into memory.
PackedWeights load_through_cache(const std::string& folder, const PackPlan& plan, Team& team,
                                 const Allocate& allocate, const LoadRequest& request);

}  // namespace braid::cpu
