#include "tools/warm_up.h"

#include "format/tensor_file.h"
#include "tools/doctor.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace braid {
namespace {

constexpr size_t kPiece = size_t{16} << 20;

// Whole pages; a mapping is looked at and filled by pages.
struct Pages {
  std::byte* begin;
  size_t bytes;
};
Pages pages_of(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size();
  return {reinterpret_cast<std::byte*>(begin), end - begin};
}

size_t bytes_in_memory(const Pages& pages) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> there((pages.bytes + page - 1) / page);
  if (mincore(pages.begin, pages.bytes, there.data()) != 0) return pages.bytes;
  return page * static_cast<size_t>(
                    std::count_if(there.begin(), there.end(), [](auto p) { return (p & 1) != 0; }));
}

// Within the limit of a container too; nothing known is no room.
size_t room() {
  const Machine machine = read_machine("");
  size_t room = machine.available.value_or(0);
  if (machine.memory_limit)
    room = std::min(room, *machine.memory_limit - std::min(*machine.memory_limit,
                                                           machine.memory_limit_used.value_or(0)));
  return room;
}

void fill(const Pages& pages) {
  // Since Linux 5.14; before that, and where it is refused, the first read of each page brings it.
#ifdef MADV_POPULATE_READ
  if (madvise(pages.begin, pages.bytes, MADV_POPULATE_READ) == 0) return;
#endif
  madvise(pages.begin, pages.bytes, MADV_WILLNEED);
}

}  // namespace

void warm_up(const TensorFile& file) {
  std::vector<std::span<const std::byte>> weights;
  size_t total = 0, there = 0;
  for (const FileTensor& tensor : file.tensors()) {
    if (tensor.bytes.empty()) continue;
    weights.push_back(tensor.bytes);
    total += tensor.bytes.size();
    there += bytes_in_memory(pages_of(tensor.bytes));
  }
  if (there >= total || total - there > room() / 10 * 9) return;
  std::sort(weights.begin(), weights.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  const InterruptGuard interrupt;
  Progress progress(static_cast<int64_t>(total >> 20), "MiB loaded");
  size_t done = 0;
  for (std::span<const std::byte> rest : weights)
    while (!rest.empty()) {
      if (interrupt.interrupted()) throw Interrupted();
      const size_t n = std::min(rest.size(), kPiece);
      fill(pages_of(rest.first(n)));
      rest = rest.subspan(n);
      const size_t before = done >> 20;
      done += n;
      progress.advance(static_cast<int64_t>((done >> 20) - before));
    }
}

}  // namespace braid
