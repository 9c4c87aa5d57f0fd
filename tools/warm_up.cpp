#include "tools/warm_up.h"

#include "base/share_out.h"
#include "device/device.h"
#include "tools/doctor.h"
#include "tools/interrupt.h"
#include "tools/load_progress.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace braid {
namespace {

constexpr size_t kPiece = size_t{4} << 20;
constexpr int kReaders = 8;  // enough for any disk

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

void touch(const Pages& pages, size_t step) {
  for (size_t at = 0; at < pages.bytes; at += step)
    static_cast<void>(*const_cast<const volatile std::byte*>(pages.begin + at));
}

// First and last page stand for all between them: to look at each would take longer than the rest.
bool seems_there(const Pages& pages) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const Pages last{pages.begin + (pages.bytes - 1) / page * page, 1};
  return bytes_in_memory({pages.begin, 1}) > 0 && bytes_in_memory(last) > 0;
}

// One access first to each large page, which the kernel then reads as one where it can; then all
// the rest is asked for and mapped: an access brings what the kernel maps around it.
void fill(const Pages& pages) {
  const bool there = seems_there(pages);
  if (!there) touch(pages, size_t{2} << 20);
  if (!there) madvise(pages.begin, pages.bytes, MADV_WILLNEED);
  touch(pages, size_t{64} << 10);
}

}  // namespace

void warm_up(const Device& device) {
  std::vector<std::span<const std::byte>> pieces;
  size_t total = 0;
  for (std::span<const std::byte> rest : device.mapped_weights())
    for (; !rest.empty(); rest = rest.subspan(std::min(rest.size(), kPiece))) {
      pieces.push_back(rest.first(std::min(rest.size(), kPiece)));
      total += pieces.back().size();
    }
  if (const size_t most = room() / 10 * 9; total > most) {
    size_t there = 0;
    for (const std::span<const std::byte> piece : pieces) there += bytes_in_memory(pages_of(piece));
    if (there < total && total - there > most) return;
  }
  const InterruptGuard interrupt;
  LoadLine line("reading");
  Team team(std::max(1, std::min(device.threads(2), kReaders)));
  size_t done = 0;
  share_out(
      team, pieces.size(), [&](size_t i, int) { fill(pages_of(pieces[i])); },
      [&](size_t n) {
        if (interrupt.interrupted()) throw Interrupted();
        done = std::min(n * kPiece, total);
        line.show(done, total);
      });
}

}  // namespace braid
