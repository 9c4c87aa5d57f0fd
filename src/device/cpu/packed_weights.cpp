#include "device/cpu/packed_weights.h"

#include "base/check.h"
#include "base/share_out.h"
#include "device/cpu/pack.h"

#include <atomic>

namespace braid::cpu {
namespace {

constexpr size_t kScanBytes = size_t{1} << 20;
constexpr size_t kAhead = 16;  // slices on their way from the disk: 64 MiB keep a fast one busy

double gib(size_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

void note(const LoadRequest& request, const std::string& text) {
  if (request.hooks.note) request.hooks.note(text);
}

// Piece by piece, so that all threads read and a counter-example in any piece ends it.
bool all_bf16(const FileMatrix& m, Team& team, const FilePages* pages) {
  std::vector<FileMatrix> pieces;
  const size_t row = row_bytes(m.dtype, m.cols);
  const auto at_once = static_cast<int64_t>(std::max<size_t>(1, kScanBytes / row));
  for (const RowRun& run : m.runs)
    for (int64_t r = 0; r < run.rows; r += at_once)
      pieces.push_back({m.dtype,
                        m.cols,
                        {{run.data + static_cast<size_t>(r) * row, std::min(at_once, run.rows - r),
                          run.scale}}});
  std::atomic<bool> all{true};
  share_out(team, pieces.size(), [&](size_t i, int) {
    if (!all.load(std::memory_order_relaxed)) return;
    const std::span bytes(pieces[i].runs[0].data, pieces[i].bytes());
    if (pages) pages->prefetch(bytes);
    if (packed_type(pieces[i]) != PackedType::kBF16) all.store(false, std::memory_order_relaxed);
    if (pages) pages->release(bytes);
  });
  return all;
}

// Walks all slices: each is asked for before its turn, and its part of the file given back after.
void pack_slices(const PackPlan& plan, Team& team, LoadStage stage, const LoadRequest& request,
                 const std::function<void(size_t slice, int thread)>& pack) {
  const FilePages* pages = request.pages;
  const auto prefetch = [&](size_t slice) {
    if (pages && slice < plan.slices())
      plan.for_sources(slice, [&](std::span<const std::byte> s) { pages->prefetch(s); });
  };
  const size_t ahead = std::max<size_t>(kAhead, static_cast<size_t>(2 * team.threads()));
  for (size_t slice = 0; slice < ahead; ++slice) prefetch(slice);
  std::vector<int> nodes;  // of each thread
  for (int thread = 0; thread < team.threads(); ++thread) nodes.push_back(team.node(thread));
  share_out_by_node(
      team, plan.slices(), [&](size_t slice) { return plan.node(slice, nodes); },
      [&](size_t slice, int thread) {
        prefetch(slice + ahead);
        pack(slice, thread);
        if (pages)
          plan.for_own_sources(slice, [&](std::span<const std::byte> s) { pages->release(s); });
      },
      [&](size_t done) {
        if (request.hooks.progress)
          request.hooks.progress(
              {stage, std::min(done * PackPlan::kSlice, plan.bytes()), plan.bytes()});
      });
  // What lay across the ends of slices.
  if (pages)
    for (const PackPlan::Part& part : plan.parts())
      PackPlan::for_sources(part, [&](std::span<const std::byte> s) { pages->release(s); });
}

MappedPack write_cache(const PackCache& cache, const PackPlan& plan, Team& team,
                       const LoadRequest& request) {
  PackCache::Writer writer(cache);
  note(request, fmt::format("--pack-cache: writing {:.2f} GiB to {}", gib(cache.file_bytes()),
                            cache.path()));
  std::vector<std::vector<std::byte>> scratch(static_cast<size_t>(team.threads()));
  pack_slices(plan, team, LoadStage::kCaching, request, [&](size_t slice, int thread) {
    writer.write(slice, plan.pack_alone(slice, scratch[static_cast<size_t>(thread)]));
  });
  if (request.hooks.progress)
    request.hooks.progress({LoadStage::kSyncing, plan.bytes(), plan.bytes()});
  return writer.finish();
}

}  // namespace

void settle_types(std::span<const Pending> pending, bool describing, Team& team,
                  const LoadRequest& request) {
  for (const auto& [m, exact] : pending) {
    if (m->file.dtype == DType::F32)
      m->type = !describing && all_bf16(m->file, team, request.pages) ? PackedType::kBF16
                                                                      : PackedType::kF32;
    else
      m->type = packed_type(m->file);
    if (exact && m->quantised()) m->type = PackedType::kF32;
    m->strip_bytes = strip_bytes(m->type, m->file.cols);
  }
}

Buffer pack_into_memory(const PackPlan& plan, Team& team, const Allocate& allocate,
                        const LoadRequest& request) {
  Buffer memory = allocate(plan.bytes());
  pack_slices(plan, team, LoadStage::kPacking, request,
              [&](size_t slice, int) { plan.pack(slice, memory.data()); });
  return memory;
}

PackedWeights load_through_cache(const std::string& folder, const PackPlan& plan, Team& team,
                                 const Allocate& allocate, const LoadRequest& request) {
  try {
    if (!request.pages) fail("{}: the weights lie in no file", folder);
    const PackCache cache(folder, request.name, plan, *request.pages);
    std::string why;
    if (auto file = cache.open(why)) return {{}, std::move(file)};
    if (!why.empty())
      note(request, fmt::format("--pack-cache: {} {}; it is written again", cache.path(), why));
    return {{}, write_cache(cache, plan, team, request)};
  } catch (const Error& error) {
    note(request,
         fmt::format("--pack-cache: {}; the weights are packed into memory instead", error.what()));
  }
  return {pack_into_memory(plan, team, allocate, request), {}};
}

}  // namespace braid::cpu
