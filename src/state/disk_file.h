// A file of the disk tier: a run of keys and values, or a state with the rows behind the last run.
//
//   header        128 bytes: what it is, whose, where it belongs, sizes, checksums
//   tokens        those of its rows; a state without rows behind the last run has none
//   blocks, conv  of a state: its RecurrentSnapshot
//   rows          keys and values in the order of KvSnapshot
//
// A file is written under another name, reaches the disk and only then gets its own, so one that
// has its name is whole unless the disk damaged it. Nothing in it is trusted all the same: sizes
// must agree with the file's before anything is allocated, and everything that is used is covered
// by a checksum.
#pragma once

#include "base/check.h"
#include "state/snapshot.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace braid {

// To be raised when the format changes, or the bits that the same model computes.
inline constexpr uint32_t kDiskVersion = 2;

using DiskKey = std::array<uint64_t, 2>;
// Of a model and program, whose pool has these shapes and types, and runs of so many tokens.
DiskKey disk_key(const StatePool& pool, const std::string& settings, int64_t run_tokens);

struct DiskEntry {
  uint64_t id = 0;
  uint64_t parent = 0;  // the run before it; 0 at the start of a line
  uint64_t realm = 0;
  bool state = false;
  int64_t first = 0;  // position of the first token
  std::vector<int32_t> tokens;
  int64_t floor = 0;  // of a state
  uint32_t mark = 0;
  size_t bytes = 0;   // of the file
  uint64_t used = 0;  // when, in nanoseconds of the system's clock

  int64_t end() const { return first + static_cast<int64_t>(tokens.size()); }
  std::string file;          // its name; empty: number and kind
  std::string name() const;  // of its file
};

struct DiskPayload {
  std::vector<float> blocks, conv;
  std::vector<std::byte> rows;
};

// The file is not what was written: it can only go.
class Damaged : public Error {
 public:
  using Error::Error;
};

size_t disk_file_bytes(const DiskEntry& entry, const RecurrentSnapshot* recurrent, size_t rows);
// Throws Error that says why it cannot be written; then nothing of it is left.
void write_disk_file(const std::string& folder, const DiskKey& key, const DiskEntry& entry,
                     const RecurrentSnapshot* recurrent, std::span<const std::byte> rows);
// Header and tokens. Throws Damaged for what is no whole file of this key, or has another's name.
enum class DiskName { kNumber, kOwn };
DiskEntry read_disk_entry(const std::string& folder, const std::string& file, const DiskKey& key,
                          DiskName name = DiskName::kNumber);
// All of it, which must still be this entry. Throws Damaged, or Error when it cannot be read.
DiskPayload read_disk_payload(const std::string& folder, const DiskKey& key,
                              const DiskEntry& entry);
// Throws Damaged when it has not what an entry of its kind must have for this pool.
void check_sizes(const StatePool& pool, const DiskEntry& entry, const DiskPayload& payload,
                 const std::string& path);

}  // namespace braid
