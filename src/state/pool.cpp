#include "state/pool.h"

#include "base/check.h"

#include <cmath>
#include <string>
#include <utility>

namespace braid {

namespace {

// Far above any model; keeps every product of a few dimensions inside 64 bits.
constexpr int kMaxDim = 1 << 20;
constexpr double kMaxBytes = 1ull << 48;

void check_dims(size_t index, const LayerState& layer, std::initializer_list<int> dims) {
  for (int dim : dims)
    if (dim < 1 || dim > kMaxDim)
      fail(
          "layer {}: state of {}: every number must be between 1 and {}; the shapes come from a "
          "damaged file",
          index, describe(layer), kMaxDim);
}

void check_cache_type(size_t index, const KvSpec& kv, const char* what, DType type) {
  const DTypeInfo& t = info(type);
  if (!t.weights) fail("{} cache type {}: not a type for numbers; take F16 or F32", what, t.name);
  if (kv.head_dim % t.block != 0)
    fail(
        "layer {}: {} cache type {} stores blocks of {} values, but a head has {}; take F16 or F32",
        index, what, t.name, t.block, kv.head_dim);
}

// As double: these only guard the sums in size_t below against overflow.
void check_spec(const StateSpec& spec, DType key_type, DType value_type, double slots,
                double pages) {
  double total = 0;
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerState& layer = spec.layers[i];
    if (const auto* kv = std::get_if<KvSpec>(&layer)) {
      check_dims(i, layer, {kv->kv_heads, kv->head_dim});
      check_cache_type(i, *kv, "key", key_type);
      check_cache_type(i, *kv, "value", value_type);
      total += pages * kPageTokens * kv->kv_heads *
               static_cast<double>(row_bytes(key_type, kv->head_dim) +
                                   row_bytes(value_type, kv->head_dim));
    } else if (const auto* r = std::get_if<RecurrentLayout>(&layer)) {
      check_dims(i, layer, {r->key_heads, r->value_heads, r->key_dim, r->value_dim, r->conv_dim});
      total += slots * sizeof(float) *
               (2.0 * r->value_heads * r->key_dim * r->value_dim +
                kRing * (double{1} * r->key_heads * r->key_dim +
                         double{1} * r->value_heads * r->value_dim + r->value_heads + r->conv_dim));
    }
  }
  if (total > kMaxBytes)
    fail("the state would take {:.0f} GiB; take a shorter context (-c) or fewer parallel sequences",
         total / (1ull << 30));
}

KvPool kv_view(const KvSpec& kv, DType key_type, DType value_type) {
  return {kv.kv_heads, kv.head_dim, key_type, value_type, nullptr, nullptr};
}

}  // namespace

size_t StatePool::slot_bytes(const StateSpec& spec) {
  check_spec(spec, DType::F32, DType::F32, 1, 0);
  size_t floats = 0;
  for (const LayerState& layer : spec.layers)
    if (const auto* r = std::get_if<RecurrentLayout>(&layer)) floats += r->slot_floats();
  return floats * sizeof(float);
}

size_t StatePool::page_bytes(const StateSpec& spec, DType key_type, DType value_type) {
  check_spec(spec, key_type, value_type, 0, 1);
  size_t bytes = 0;
  for (const LayerState& layer : spec.layers) {
    if (const auto* kv = std::get_if<KvSpec>(&layer)) {
      const KvPool view = kv_view(*kv, key_type, value_type);
      bytes += view.page_bytes(key_type) + view.page_bytes(value_type);
    }
  }
  return bytes;
}

size_t StatePool::bytes(const StateSpec& spec, const StateOptions& options) {
  const size_t slots = size_t{1} + options.slots, pages = size_t{1} + options.pages;
  check_spec(spec, options.key_type, options.value_type, static_cast<double>(slots),
             static_cast<double>(pages));
  return slots * slot_bytes(spec) + pages * page_bytes(spec, options.key_type, options.value_type);
}

StatePool::StatePool(Device& device, StateSpec spec, const StateOptions& options)
    : device_(device), spec_(std::move(spec)), options_(options) {
  CHECK_THAT(options.slots >= 0 && options.pages >= 0, "{} slots, {} pages", options.slots,
             options.pages);
  bytes(spec_, options_);  // refuses what cannot be held

  const size_t slots = size_t{1} + options.slots, pages = size_t{1} + options.pages;
  kv_.resize(spec_.layers.size());
  recurrent_.resize(spec_.layers.size());
  for (size_t i = 0; i < spec_.layers.size(); ++i) {
    if (const auto* kv = std::get_if<KvSpec>(&spec_.layers[i])) {
      KvPool& pool = kv_[i] = kv_view(*kv, options.key_type, options.value_type);
      buffers_.push_back(
          device.allocate(pages * pool.page_bytes(pool.key_type), "the keys of the context"));
      pool.keys = buffers_.back().data();
      buffers_.push_back(
          device.allocate(pages * pool.page_bytes(pool.value_type), "the values of the context"));
      pool.values = buffers_.back().data();
    } else if (const auto* r = std::get_if<RecurrentLayout>(&spec_.layers[i])) {
      buffers_.push_back(
          device.allocate(slots * r->slot_floats() * sizeof(float), "recurrent state"));
      recurrent_[i] = {*r, buffers_.back().as<float>()};
    }
  }

  slot_taken_.assign(slots, false);
  references_.assign(pages, 0);
  for (int32_t slot = options.slots; slot > 0; --slot) free_slots_.push_back(slot);
  for (int32_t page = options.pages; page > 0; --page) free_pages_.push_back(page);
}

void StatePool::check_slot(int32_t slot) const {
  CHECK_THAT(slot > 0 && slot <= options_.slots && slot_taken_[static_cast<size_t>(slot)],
             "slot {} is not taken", slot);
}

void StatePool::check_page(int32_t page) const {
  CHECK_THAT(page > 0 && page <= options_.pages && references_[static_cast<size_t>(page)] > 0,
             "page {} is not taken", page);
}

int32_t StatePool::pop_slot() {
  if (free_slots_.empty())
    fail("all {} sequence slots are in use; raise the number of parallel sequences",
         options_.slots);
  const int32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slot_taken_[static_cast<size_t>(slot)] = true;
  return slot;
}

int32_t StatePool::take_slot() {
  const int32_t slot = pop_slot();
  zero_slot(slot);
  return slot;
}

int32_t StatePool::clone_slot(int32_t from) {
  check_slot(from);
  const int32_t slot = pop_slot();
  copy_slot(from, slot);
  return slot;
}

void StatePool::release_slot(int32_t slot) {
  check_slot(slot);
  slot_taken_[static_cast<size_t>(slot)] = false;
  free_slots_.push_back(slot);
}

void StatePool::zero_slot(int32_t slot) {
  check_slot(slot);
  for (const RecurrentPool& pool : recurrent_)
    if (pool.base)
      device_.zero(pool.slot(slot).state_base, pool.layout.slot_floats() * sizeof(float));
}

void StatePool::copy_slot(int32_t from, int32_t to) {
  check_slot(from);
  check_slot(to);
  for (const RecurrentPool& pool : recurrent_)
    if (pool.base)
      device_.copy(pool.slot(to).state_base, pool.slot(from).state_base,
                   pool.layout.slot_floats() * sizeof(float));
}

int32_t StatePool::pop_page() {
  if (free_pages_.empty())
    fail(
        "all {} pages of {} tokens are in use; raise the context (-c) or run fewer sequences at a "
        "time",
        options_.pages, kPageTokens);
  const int32_t page = free_pages_.back();
  free_pages_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  return page;
}

// Zeroed because attention may read whole pages: stale NaNs of another sequence must not leak even
// into masked products.
int32_t StatePool::take_page() {
  const int32_t page = pop_page();
  for (const KvPool& pool : kv_) {
    if (!pool.keys) continue;
    device_.zero(pool.keys_of(page, 0), pool.page_bytes(pool.key_type));
    device_.zero(pool.values_of(page, 0), pool.page_bytes(pool.value_type));
  }
  return page;
}

int32_t StatePool::clone_page(int32_t from) {
  check_page(from);
  const int32_t page = pop_page();
  copy_page(from, page);
  return page;
}

void StatePool::add_ref(int32_t page) {
  check_page(page);
  ++references_[static_cast<size_t>(page)];
}

void StatePool::release_page(int32_t page) {
  check_page(page);
  if (--references_[static_cast<size_t>(page)] == 0) free_pages_.push_back(page);
}

void StatePool::copy_page(int32_t from, int32_t to) {
  check_page(from);
  check_page(to);
  for (const KvPool& pool : kv_) {
    if (!pool.keys) continue;
    device_.copy(pool.keys_of(to, 0), pool.keys_of(from, 0), pool.page_bytes(pool.key_type));
    device_.copy(pool.values_of(to, 0), pool.values_of(from, 0), pool.page_bytes(pool.value_type));
  }
}

int32_t StatePool::references(int32_t page) const {
  CHECK_THAT(page > 0 && page <= options_.pages, "page {}", page);
  return references_[static_cast<size_t>(page)];
}

}  // namespace braid
