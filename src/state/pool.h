// The state memory of one device: recurrent slots and KV pages of all layers, planned before start.
//
// A slot is one sequence's recurrent state in every recurrent layer; a page is kPageTokens
// positions of keys and values in every attention layer, counted so that forks share it. Slot 0 and
// page 0 are trash (rule S2): warm-up and padding rows write there, nobody is handed them. What a
// slot or page means in a timeline is Sequence's business. One thread owns a pool; it outlives its
// sequences.
#pragma once

#include "device/device.h"
#include "state/spec.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace braid {

struct StateOptions {
  int32_t slots = 1;  // sequences at a time, the trash slot not counted
  int32_t pages = 0;  // the trash page not counted
  DType key_type = DType::F16, value_type = DType::F16;
};

class StatePool {
 public:
  // Throws Error for shapes that the cache types cannot hold and for too little memory.
  StatePool(Device& device, StateSpec spec, const StateOptions& options);
  StatePool(const StatePool&) = delete;
  StatePool& operator=(const StatePool&) = delete;

  // What will be allocated, for the planner and `inspect`; they throw as the constructor does.
  static size_t slot_bytes(const StateSpec& spec);
  static size_t page_bytes(const StateSpec& spec, DType key_type, DType value_type);
  static size_t bytes(const StateSpec& spec, const StateOptions& options);
  static int64_t pages_for(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

  const StateSpec& spec() const { return spec_; }
  const StateOptions& options() const { return options_; }
  Device& device() const { return device_; }

  // Indexed by layer; a layer of another kind has an entry with null addresses.
  std::span<const KvPool> kv() const { return kv_; }
  std::span<const RecurrentPool> recurrent() const { return recurrent_; }

  // Slots. take_slot zeroes the slot (rule S3), clone_slot fills the new one from another.
  int32_t take_slot();
  int32_t clone_slot(int32_t from);
  void release_slot(int32_t slot);
  void zero_slot(int32_t slot);
  void copy_slot(int32_t from, int32_t to);
  int32_t free_slots() const { return static_cast<int32_t>(free_slots_.size()); }

  // Pages. take_page gives a zeroed page with one reference, clone_page one with another's
  // contents.
  int32_t take_page();
  int32_t clone_page(int32_t from);
  void add_ref(int32_t page);
  void release_page(int32_t page);
  void copy_page(int32_t from, int32_t to);
  int32_t references(int32_t page) const;
  int32_t free_pages() const { return static_cast<int32_t>(free_pages_.size()); }

 private:
  int32_t pop_slot();
  int32_t pop_page();
  void check_slot(int32_t slot) const;
  void check_page(int32_t page) const;

  Device& device_;
  StateSpec spec_;
  StateOptions options_;
  std::vector<Buffer> buffers_;
  std::vector<KvPool> kv_;
  std::vector<RecurrentPool> recurrent_;
  std::vector<int32_t> free_slots_, free_pages_;  // stacks
  std::vector<bool> slot_taken_;
  std::vector<int32_t> references_;  // of each page
};

}  // namespace braid
