// Packed weights on the disk: a file for each model, which the next start maps instead of packing.
//
// The file is a header with a checksum for each slice of the plan, and from a multiple of
// kPackAlign on the plan's region as it lies in memory; it knows no instruction set. Nothing in it
// is trusted: all sizes come from the model, and a file is taken only if its header, its length and
// some slices are what they must be. Its key is made of the plan, the sizes and modification times
// of the model's files and of samples of their weights; where they lie plays no part.
//
// A file is written under another name, by one process at a time, reaches the disk, gets its header
// and only then its name.
#pragma once

#include "device/cpu/pack_plan.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace braid::cpu {

// To be raised whenever a packed type gets another layout (kernels/packed.h).
constexpr uint32_t kPackLayout = 1;

constexpr size_t kPackAlign = size_t{2} << 20;

// A file's data, mapped for reading at an address that large pages suit.
class MappedPack {
 public:
  // Throws Error.
  MappedPack(int descriptor, size_t offset, size_t bytes, const std::string& path);
  ~MappedPack();
  MappedPack(MappedPack&& other) noexcept;
  MappedPack& operator=(MappedPack&& other) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::byte* reserved_ = nullptr;
  size_t reserved_bytes_ = 0;
  std::span<const std::byte> bytes_;
};

class PackCache {
 public:
  // Of a model in a folder. `pages` are those of the model's files; throws Error when a matrix lies
  // in none of them.
  PackCache(const std::string& folder, const std::string& model, const PackPlan& plan,
            const FilePages& pages);

  // The file's path. It knows no values: which f32 matrices are kept as bf16 plays no part.
  static std::string path_of(const std::string& folder, const std::string& model,
                             const PackPlan& plan);

  const std::string& path() const { return path_; }
  size_t file_bytes() const { return data_offset_ + plan_.bytes(); }

  // Nothing when there is no file, or none that may be used; `why` is empty in the first case.
  std::optional<MappedPack> open(std::string& why) const;

  // Writes the file. One that is not finished is removed.
  class Writer {
   public:
    // Throws Error that says why the file cannot be written: another process at it, no room.
    explicit Writer(const PackCache& cache);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void write(size_t slice, std::span<const std::byte> bytes);  // any thread
    // After all slices. The weights stay usable when the folder vanishes meanwhile.
    MappedPack finish();

   private:
    void lock();
    int take_room() const;
    void remove();
    void put(const void* from, size_t bytes, size_t offset) const;

    const PackCache& cache_;
    std::string path_;
    int descriptor_ = -1;
    std::vector<uint64_t> sums_;
  };

 private:
  friend class Writer;
  struct Header;

  std::vector<std::byte> header(std::span<const uint64_t> sums) const;
  std::string check_header(int descriptor, std::vector<uint64_t>& sums) const;

  std::string path_;
  const PackPlan& plan_;
  size_t data_offset_;
  std::array<uint64_t, 2> key_{};
};

}  // namespace braid::cpu
