#include "quant/dtype.h"

#include "base/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace braid {
namespace {

constexpr DTypeInfo kTypes[] = {
#define BRAID_INFO(name, id, block, bytes, weights) {DType::name, #name, id, block, bytes, weights},
    BRAID_DTYPES(BRAID_INFO)
#undef BRAID_INFO
};

enum class Refusal { kRemoved, kActivations, kNotYet, kIk, kIkRepacked };

struct RefusedType {
  int64_t id;
  std::string_view name;
  Refusal why;
};

// The names of types that other programs write or once wrote; 36 has had two owners.
constexpr RefusedType kRefused[] = {
    {4, "Q4_2", Refusal::kRemoved},
    {5, "Q4_3", Refusal::kRemoved},
    {9, "Q8_1", Refusal::kActivations},
    {15, "Q8_K", Refusal::kActivations},
    {31, "Q4_0_4_4", Refusal::kRemoved},
    {32, "Q4_0_4_8", Refusal::kRemoved},
    {33, "Q4_0_8_8", Refusal::kRemoved},
    {34, "TQ1_0", Refusal::kNotYet},
    {35, "TQ2_0", Refusal::kNotYet},
    {36, "IQ4_NL_4_4, or I2_S of BitNet", Refusal::kRemoved},
    {37, "IQ4_NL_4_8", Refusal::kRemoved},
    {38, "IQ4_NL_8_8", Refusal::kRemoved},
    {41, "Q1_0", Refusal::kNotYet},
    {42, "Q2_0", Refusal::kNotYet},

    {97, "Q8_0_X4", Refusal::kActivations},
    {98, "Q8_1_X4", Refusal::kActivations},
    {99, "Q8_2_X4", Refusal::kActivations},
    {133, "Q6_0", Refusal::kIk},
    {134, "IQ1_BN", Refusal::kIk},
    {135, "IQ2_BN", Refusal::kIk},
    {136, "Q8_K64", Refusal::kActivations},
    {137, "IQ2_K", Refusal::kIk},
    {138, "IQ3_K", Refusal::kIk},
    {139, "IQ4_K", Refusal::kIk},
    {140, "IQ5_K", Refusal::kIk},
    {141, "IQ6_K", Refusal::kIk},
    {142, "IQ2_TN", Refusal::kRemoved},
    {143, "IQ1_TN", Refusal::kRemoved},
    {144, "IQ4_KS", Refusal::kIk},
    {145, "IQ2_KS", Refusal::kIk},
    {146, "IQ4_KSS", Refusal::kIk},
    {147, "Q8_K16", Refusal::kActivations},
    {148, "Q8_K32", Refusal::kActivations},
    {149, "Q8_KR8", Refusal::kActivations},
    {150, "Q8_K128", Refusal::kActivations},
    {151, "Q8_KV", Refusal::kIk},
    {152, "IQ5_KS", Refusal::kIk},
    {153, "IQ2_KT", Refusal::kIk},
    {154, "IQ3_KT", Refusal::kIk},
    {155, "IQ4_KT", Refusal::kIk},
    {156, "IQ3_KS", Refusal::kIk},
    {157, "IQ2_KL", Refusal::kIk},
    {158, "IQ1_KT", Refusal::kIk},

    {202, "Q4_0_R8", Refusal::kIkRepacked},
    {206, "Q5_0_R4", Refusal::kIkRepacked},
    {208, "Q8_0_R8", Refusal::kIkRepacked},
    {210, "Q2_K_R4", Refusal::kIkRepacked},
    {211, "Q3_K_R4", Refusal::kIkRepacked},
    {212, "Q4_K_R4", Refusal::kIkRepacked},
    {213, "Q5_K_R4", Refusal::kIkRepacked},
    {214, "Q6_K_R4", Refusal::kIkRepacked},
    {216, "IQ2_XXS_R4", Refusal::kIkRepacked},
    {217, "IQ2_XS_R4", Refusal::kIkRepacked},
    {218, "IQ3_XXS_R4", Refusal::kIkRepacked},
    {219, "IQ1_S_R4", Refusal::kIkRepacked},
    {220, "IQ4_NL_R4", Refusal::kIkRepacked},
    {221, "IQ3_S_R4", Refusal::kIkRepacked},
    {222, "IQ2_S_R4", Refusal::kIkRepacked},
    {223, "IQ4_XS_R8", Refusal::kIkRepacked},
    {229, "IQ1_M_R4", Refusal::kIkRepacked},
    {230, "BF16_R16", Refusal::kIkRepacked},
    {233, "Q6_0_R4", Refusal::kIkRepacked},
    {335, "IQ2_BN_R4", Refusal::kIkRepacked},
    {337, "IQ2_K_R4", Refusal::kIkRepacked},
    {338, "IQ3_K_R4", Refusal::kIkRepacked},
    {339, "IQ4_K_R4", Refusal::kIkRepacked},
    {340, "IQ5_K_R4", Refusal::kIkRepacked},
    {344, "IQ4_KS_R4", Refusal::kIkRepacked},
    {352, "IQ5_KS_R4", Refusal::kIkRepacked},
    {353, "MXFP4_R8", Refusal::kIkRepacked},
    {397, "Q8_K_R16", Refusal::kIkRepacked},
    {398, "Q8_KV_R8", Refusal::kIkRepacked},
    {399, "Q8_K_R8", Refusal::kIkRepacked},
};

// A type that Braid learns to read leaves the table above.
constexpr bool names_each_id_once() {
  for (const RefusedType& refused : kRefused) {
    if (std::ranges::count(kRefused, refused.id, &RefusedType::id) != 1) return false;
    if (std::ranges::count(kTypes, refused.id, &DTypeInfo::gguf_id) != 0) return false;
  }
  return true;
}
static_assert(names_each_id_once());

std::string_view reason(Refusal why) {
  switch (why) {
    case Refusal::kRemoved:
      return "a type that GGUF no longer has: use a newer file of the model";
    case Refusal::kActivations:
      return "a type of activations that no model file holds: the file is damaged";
    case Refusal::kNotYet:
      return "a type that Braid does not read yet: use a file of another type";
    case Refusal::kIk:
      return "a type of ik_llama.cpp that Braid does not read yet: use a file of another type";
    case Refusal::kIkRepacked:
      return "a repacked type of ik_llama.cpp: use the file it was made from";
  }
  CHECK(false);
}

}  // namespace

std::span<const DTypeInfo> all_dtypes() { return kTypes; }

const DTypeInfo& info(DType type) {
  const size_t index = static_cast<size_t>(type);
  CHECK_THAT(index < std::size(kTypes), "{} is no DType", index);
  return kTypes[index];
}

std::optional<DType> dtype_from_gguf(int64_t id) {
  const auto* found = std::ranges::find(kTypes, id, &DTypeInfo::gguf_id);
  if (found == std::end(kTypes)) return std::nullopt;
  return found->type;
}

std::string describe_refused_gguf_type(int64_t id) {
  if (const auto type = dtype_from_gguf(id)) return fmt::format("{} ({})", info(*type).name, id);
  const auto* found = std::ranges::find(kRefused, id, &RefusedType::id);
  if (found != std::end(kRefused))
    return fmt::format("{} ({}), {}", found->name, id, reason(found->why));
  return fmt::format("type {}, which Braid does not know: the file is damaged or newer than Braid",
                     id);
}

}  // namespace braid
