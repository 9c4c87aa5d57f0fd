// Where packed matrices lie: one behind the other in one region, in memory or in a file.
//
// Work is cut into slices of the region, the same ones for every number of threads. A strip that
// lies across the end of a slice belongs to the slice in which it begins; who needs the bytes of
// one slice alone packs it for both.
#pragma once

#include "base/file_pages.h"
#include "device/cpu/matrix.h"

#include <functional>
#include <span>
#include <vector>

namespace braid::cpu {

class PackPlan {
 public:
  // A multiple of large pages; a thread's share stays in its caches or near them.
  static constexpr size_t kSlice = size_t{4} << 20;

  struct Part {
    Matrix* matrix;
    size_t offset;
  };

  // A matrix whose type is set; it must stay where it is.
  void add(Matrix& m);

  std::span<const Part> parts() const { return parts_; }
  size_t bytes() const { return bytes_; }
  size_t slices() const { return (bytes_ + kSlice - 1) / kSlice; }
  size_t slice_bytes(size_t slice) const { return std::min(kSlice, bytes_ - slice * kSlice); }

  // Packs the strips that begin in a slice to their places in a zeroed region.
  void pack(size_t slice, std::byte* region) const;
  // The bytes of a slice, made in `scratch`.
  std::span<const std::byte> pack_alone(size_t slice, std::vector<std::byte>& scratch) const;

  // The memory node whose threads read most of a slice, of those that the threads are bound to;
  // where nobody can know, slices take turns. `node_of` has the node of each thread.
  int node(size_t slice, std::span<const int> node_of) const;

  // All bytes of the file that a slice is made of, as few spans.
  void for_sources(size_t slice,
                   const std::function<void(std::span<const std::byte>)>& visit) const;
  // Those that no other slice needs.
  void for_own_sources(size_t slice,
                       const std::function<void(std::span<const std::byte>)>& visit) const;
  // Those of a whole part.
  static void for_sources(const Part& part,
                          const std::function<void(std::span<const std::byte>)>& visit);

 private:
  struct Strips {
    const Part* part;
    int64_t begin, end;
  };
  enum class Which { kBeginning, kTouching, kInside };  // the slice
  std::vector<Strips> strips_of(size_t slice, Which which) const;

  std::vector<Part> parts_;
  size_t bytes_ = 0;
};

}  // namespace braid::cpu
