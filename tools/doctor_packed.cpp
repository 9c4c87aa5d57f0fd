#include "device/registry.h"
#include "models/model.h"
#include "tools/doctor.h"

#include <filesystem>

namespace braid {
namespace {

namespace fs = std::filesystem;

// Of the folder, or of the one that it would be made in.
std::optional<size_t> free_bytes(fs::path folder) {
  std::error_code failed;
  folder = fs::absolute(folder, failed);
  while (!fs::exists(folder, failed) && folder.has_relative_path()) folder = folder.parent_path();
  const fs::space_info space = fs::space(folder, failed);
  if (failed) return std::nullopt;
  return static_cast<size_t>(space.available);
}

}  // namespace

PackedNeed packed_need_of(const TensorFile& file, const std::string& pack_cache) {
  const auto device = open_device("cpu", {.threads = 1, .isa = {}, .pack_cache = pack_cache});
  device->describe_only();
  load_model(file, *device);
  PackedNeed need{.bytes = device->weight_memory(), .file = device->pack_cache_file()};
  if (need.file.empty()) return need;
  std::error_code failed;
  if (const auto bytes = fs::file_size(need.file, failed); !failed) need.file_bytes = bytes;
  need.free = free_bytes(fs::path(need.file).parent_path());
  return need;
}

}  // namespace braid
