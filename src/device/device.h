// A place that holds weights and state and runs programs: the CPU, a GPU, the scalar reference.
#pragma once

#include "device/load.h"
#include "device/ops_table.h"
#include "device/packed.h"
#include "device/program.h"

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class Device;

// Owns device memory; move-only.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device* device, std::byte* data, size_t size)
      : device_(device), data_(data), size_(size) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  Device* device_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A run that was told to stop did.
class Stopped : public std::exception {
 public:
  const char* what() const noexcept override { return "stopped"; }
};

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual std::string_view name() const = 0;
  // Of a step of so many rows; a program must be recorded for as many.
  virtual int threads(int64_t rows) const = 0;
  virtual const Ops& ops() const = 0;

  // Zeroed memory, 64-byte aligned. `what` goes into the error when there is not enough. After
  // freeze() an allocation is a mistake of ours and fails as one: memory is planned before the
  // first step.
  Buffer allocate(size_t bytes, std::string_view what);
  void freeze() { frozen_ = true; }
  size_t allocated() const { return allocated_; }
  size_t weight_bytes() const { return weight_bytes_; }  // of all blocks, as the file has them
  // What they take here.
  virtual size_t weight_memory() const { return weight_bytes_; }

  virtual void upload(void* device_to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* device_from, size_t bytes) = 0;
  virtual void copy(void* device_to, const void* device_from, size_t bytes) = 0;
  virtual void zero(void* device_to, size_t bytes) = 0;

  // Rows of a page as their type has them, one after the other. How a device lays out a page is its
  // own business: whoever wants rows asks for them here. By default they lie as they are.
  virtual void get_kv_rows(const KvPool& pool, const KvSpan& span, std::byte* rows);
  virtual void put_kv_rows(const KvPool& pool, const KvSpan& span, const std::byte* rows);

  // From now on load() notes sizes and reads no weight: for measuring alone.
  virtual void describe_only() {}
  // Notes a block. Its file must stay mapped as long as the device lives.
  virtual PackedVector prepare(std::span<const float> vector) = 0;
  virtual PackedMatrix prepare(const FileMatrix& matrix, MatrixUse use) = 0;
  virtual PackedGdn prepare(const GdnFileWeights& weights) = 0;
  virtual PackedAttention prepare(const AttentionFileWeights& weights) = 0;
  virtual PackedMlp prepare(const MlpFileWeights& weights) = 0;
  virtual PackedRouter prepare(const RouterFileWeights& weights) = 0;
  virtual PackedExperts prepare(const ExpertsFileWeights& weights) = 0;
  virtual PackedMtpJoint prepare(const MtpJointFileWeights& weights) = 0;

  // Loads all that was prepared since the last time; no program may be made before it. Throws Error
  // when there is not enough memory, and what the request's hooks throw.
  virtual void load(const LoadRequest& /*request*/) {}
  // What programs go on reading from mapped files once the weights are loaded.
  virtual std::vector<std::span<const std::byte>> mapped_weights() const { return {}; }

  // The file in the pack cache that has the weights of the last load(), or would have them; empty
  // without a cache.
  virtual std::string pack_cache_file() const { return {}; }

  // Runs the recorded steps to their end. An exception of any thread arrives here. Throws Stopped
  // soon after somebody sets *stop, which is looked at when a phase begins; null: nobody will.
  virtual void run(const Program& program, const Buffer& workspace,
                   const std::atomic<bool>* stop) = 0;
  void run(const Program& program, const Buffer& workspace) { run(program, workspace, nullptr); }
  // Barriers that all runs so far took: the ends of their phases; 0 where there are none.
  virtual uint64_t barriers() const { return 0; }
  // Weight bytes that the threads have read in all runs so far.
  virtual uint64_t weight_bytes_read() const = 0;
  // What they have counted in all runs of one operation, an index into kOpNames; nothing where a
  // device does not tell operations apart.
  virtual Counters counted_of(size_t /*op*/) const { return {}; }

 protected:
  Device() = default;
  friend class Buffer;
  virtual std::byte* allocate_bytes(size_t bytes) = 0;  // null when there is not enough
  virtual void release_bytes(std::byte* data, size_t bytes) = 0;

  // Every prepare() of a device passes its result through this.
  template <class Packed>
  Packed counted(const Packed& packed) {
    weight_bytes_ += packed.bytes;
    return packed;
  }

 private:
  bool frozen_ = false;
  size_t allocated_ = 0, weight_bytes_ = 0;
};

}  // namespace braid
