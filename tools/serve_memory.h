// How a server divides the memory of its machine: weights and what a step works with come first,
// then slots, then pages of keys and values and snapshots for the prompts of the past.
#pragma once

#include "tools/loaded_model.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace braid {

// Bytes that this process could still take: of the machine, and of each control group that it is
// in, whose caches of files can go. Nothing when the system does not say. The root is "" but in
// tests.
std::optional<size_t> available_memory(const std::string& root);

// What a model takes, however it is divided.
struct ServeNeeds {
  size_t weights = 0, working = 0;  // working: scratch, buffers
  size_t slot = 0, page = 0;        // of one
  int64_t context = 0;              // most tokens of a request
};
// Reads the model's file, and takes nothing.
ServeNeeds needs_of(const ModelChoice& choice, int slots);

struct ServeWishes {
  std::optional<int> slots;
  std::optional<size_t> kv_bytes, snapshot_bytes;
  std::optional<size_t> available;
};

struct ServeMemory {
  int slots = 1;
  int64_t pages = 0;
  size_t kv_bytes = 0, snapshot_bytes = 0;
  // Of an answer whose request says nothing: below 0, all that fits.
  int64_t max_tokens = -1;
  std::string warning;  // empty: all fits
};
ServeMemory divide_memory(const ServeNeeds& needs, const ServeWishes& wishes);

// "memory: 1.20 GiB of 12.00 GiB available: ..."
std::string memory_text(const ServeNeeds& needs, const ServeMemory& memory,
                        std::optional<size_t> available);

}  // namespace braid
