// What `braid doctor` finds out about a machine: as data, so that its parts can be tested.
//
// Everything may be missing, in a container above all: what cannot be read is unknown, never an
// error. doctor_machine.cpp reads, doctor_measure.cpp and machine_speed.cpp measure,
// doctor_models.cpp and doctor_packed.cpp reckon what would run, doctor_text.cpp says it.
#pragma once

#include "base/topology.h"
#include "format/tensor_file.h"
#include "tools/machine_speed.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct CpuCache {
  int level = 0;
  std::string type{};  // "Data", "Instruction", "Unified"
  size_t bytes = 0;
  int shared_by = 0;  // logical processors
};

struct Gpu {
  std::string name{};  // "NVIDIA H100 PCIe", "Intel"
  std::string place{};
};

// Zero and empty: unknown.
struct Machine {
  std::string processor{};
  int logical = 0, physical = 0, numa_nodes = 0;
  std::vector<CpuCache> caches{};
  std::vector<std::string> features{};  // those of the instruction set that matter here
  std::string governor{};
  std::optional<bool> turbo{};
  std::optional<double> load{};  // programs that wanted to run, on average of the last minute

  std::optional<size_t> memory{}, available{}, swap{}, swap_used{};
  std::string transparent_huge_pages{};  // "madvise"
  std::optional<int64_t> huge_pages{}, huge_pages_free{};

  // Of the control groups that this process is in.
  std::optional<double> cpu_limit{};
  Topology topology{};  // of the processors that this process may use
  std::optional<size_t> memory_limit{}, memory_limit_used{};

  std::vector<Gpu> gpus{};
};

// Reads ROOT/proc and ROOT/sys; the root is "" but in tests.
Machine read_machine(const std::string& root);

// What this process may lock into memory; nothing: as much as it likes.
std::optional<size_t> locked_memory_limit();

struct Disk {
  std::string file_system{};       // "ext4"; empty: unknown
  std::string name{};              // "nvme0n1"
  std::optional<bool> rotating{};  // false: flash, or something virtual
  std::optional<double> bytes_per_second{};
  std::string not_measured{};  // why there is no speed
};
Disk read_disk(const std::string& root, const std::string& path);

// Reads up to half a second of the file past the page cache.
void measure_disk(const std::string& file, Disk& disk);

// As much as the last caches cannot hold, but no strain on the machine.
size_t bandwidth_bytes(const Machine& machine);

// A model and what a token costs.
struct ModelNeed {
  std::string name{}, type{};  // "Qwen3.5-4B", "Q4"
  size_t bytes = 0;            // of all weights, packed
  size_t active_bytes = 0;     // read for each token; 0: unknown
  size_t state_bytes = 0;      // recurrent state of a sequence
  size_t kv_bytes = 0;         // keys and values of kDoctorContext tokens

  // With room for what a step works with.
  size_t needed() const {
    return bytes + state_bytes + kv_bytes + std::min(bytes / 8, size_t{512} << 20) +
           (size_t{64} << 20);
  }
};
constexpr int64_t kDoctorContext = 8192;

std::vector<ModelNeed> known_models();
ModelNeed need_of(const TensorFile& file);

enum class Fit { kYes, kTight, kNo, kUnknown };  // kTight: only when other programs give way
Fit fit_of(const ModelNeed& need, const Machine& machine);

// Tokens per second that memory could feed at most; 0: unknown.
double most_tokens_per_second(const ModelNeed& need, const Bandwidth& bandwidth);

// A model's packed weights, and the file in --pack-cache that has them or would have them.
struct PackedNeed {
  size_t bytes = 0;                    // at most: f32 weights may turn out to be bf16
  std::string file{};                  // empty: no cache was named
  std::optional<size_t> file_bytes{};  // when it is there
  std::optional<size_t> free{};        // on its disk
};
PackedNeed packed_need_of(const TensorFile& file, const std::string& pack_cache);

struct DoctorReport {
  Machine machine{};
  std::optional<size_t> locked_memory{};
  std::vector<std::string> isas{};  // the first one is chosen
  Bandwidth bandwidth{};
  std::string disk_path{};
  Disk disk{};
  std::vector<ModelNeed> models{};
  std::optional<PackedNeed> packed{};  // of the model of -m
  std::string model_problem{};         // why Braid does not run the model of -m
};

// What should be changed, with the remedy.
std::vector<std::string> warnings_of(const DoctorReport& report);

std::string doctor_text(const DoctorReport& report);
nlohmann::ordered_json doctor_json(const DoctorReport& report);

}  // namespace braid
