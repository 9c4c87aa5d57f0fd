#include "state/spec.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {

namespace {

template <class Kind>
bool has(const StateSpec& spec) {
  return std::any_of(spec.layers.begin(), spec.layers.end(),
                     [](const LayerState& layer) { return std::holds_alternative<Kind>(layer); });
}

}  // namespace

bool StateSpec::has_recurrent() const { return has<RecurrentLayout>(*this); }
bool StateSpec::has_kv() const { return has<KvSpec>(*this); }

bool same_shape(const LayerState& a, const LayerState& b) {
  if (a.index() != b.index()) return false;
  if (const auto* kv = std::get_if<KvSpec>(&a)) return *kv == std::get<KvSpec>(b);
  const auto* r = std::get_if<RecurrentLayout>(&a);
  if (!r) return true;
  const auto& other = std::get<RecurrentLayout>(b);
  return r->key_heads == other.key_heads && r->value_heads == other.value_heads &&
         r->key_dim == other.key_dim && r->value_dim == other.value_dim &&
         r->conv_dim == other.conv_dim;
}

std::string describe(const LayerState& layer) {
  if (const auto* kv = std::get_if<KvSpec>(&layer))
    return fmt::format("{} kv heads of {}", kv->kv_heads, kv->head_dim);
  if (const auto* r = std::get_if<RecurrentLayout>(&layer))
    return fmt::format("{} key heads of {}, {} value heads of {}, convolution of {}", r->key_heads,
                       r->key_dim, r->value_heads, r->value_dim, r->conv_dim);
  return "no state";
}

}  // namespace braid
