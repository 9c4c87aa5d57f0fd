#include "device/cpu/pack_plan.h"

#include "base/check.h"
#include "device/cpu/pack.h"

#include <algorithm>

namespace braid::cpu {
namespace {

using Visit = std::function<void(std::span<const std::byte>)>;

// Rows that lie one behind the other in the file become one span.
class Spans {
 public:
  explicit Spans(const Visit& visit) : visit_(visit) {}
  Spans(const Spans&) = delete;
  Spans& operator=(const Spans&) = delete;

  void add(const std::byte* data, size_t bytes) {
    if (!open_.empty() && open_.data() + open_.size() == data) {
      open_ = {open_.data(), open_.size() + bytes};
      return;
    }
    close();
    open_ = {data, bytes};
  }
  void close() {
    if (!open_.empty()) visit_(open_);
    open_ = {};
  }

 private:
  const Visit& visit_;
  std::span<const std::byte> open_;
};

void add_strips(const Matrix& m, int64_t begin, int64_t end, Spans& spans) {
  const size_t bytes = row_bytes(m.file.dtype, m.file.cols);
  for (int64_t s = begin; s < end; ++s) {
    const std::byte* rows[kStripRows];
    strip_rows(m, s, rows);
    for (const std::byte* row : rows)
      if (row) spans.add(row, bytes);
  }
}

// The thread of so many that reads a row; -1: now one, now another.
int reader_of(const Matrix& m, int64_t row, size_t threads) {
  int64_t period = 0;
  for (const ReadShare& share : m.reads) period += share.rows;
  if (period <= 0) return -1;
  row %= period;
  for (const ReadShare& share : m.reads) {
    if (row >= share.rows) {
      row -= share.rows;
      continue;
    }
    const double place = share.begin + (share.end - share.begin) * static_cast<double>(row) /
                                           static_cast<double>(share.rows);
    return std::min(static_cast<int>(place * static_cast<double>(threads)),
                    static_cast<int>(threads) - 1);
  }
  return -1;
}

}  // namespace

void PackPlan::add(Matrix& m) {
  CHECK(m.strip_bytes > 0);
  parts_.push_back({&m, bytes_});
  bytes_ += static_cast<size_t>(m.strip_count()) * m.strip_bytes;
}

std::vector<PackPlan::Strips> PackPlan::strips_of(size_t slice, Which which) const {
  const size_t begin = slice * kSlice, end = begin + slice_bytes(slice);
  const auto after = [](const Part& part) {
    return part.offset + static_cast<size_t>(part.matrix->strip_count()) * part.matrix->strip_bytes;
  };
  std::vector<Strips> found;
  auto part = std::partition_point(parts_.begin(), parts_.end(),
                                   [&](const Part& p) { return after(p) <= begin; });
  for (; part != parts_.end() && part->offset < end; ++part) {
    const size_t size = part->matrix->strip_bytes;
    const size_t from = begin - std::min(begin, part->offset);
    const size_t to = std::min(end, after(*part)) - part->offset;
    const bool all = which == Which::kTouching, whole = which == Which::kInside;
    const auto first = static_cast<int64_t>((from + (all ? 0 : size - 1)) / size);
    const auto last = static_cast<int64_t>((to + (whole ? 0 : size - 1)) / size);
    if (first < last) found.push_back({&*part, first, last});
  }
  return found;
}

void PackPlan::pack(size_t slice, std::byte* region) const {
  for (const Strips& s : strips_of(slice, Which::kBeginning))
    pack_strips(
        *s.part->matrix, s.begin, s.end,
        region + s.part->offset + static_cast<size_t>(s.begin) * s.part->matrix->strip_bytes);
}

std::span<const std::byte> PackPlan::pack_alone(size_t slice,
                                                std::vector<std::byte>& scratch) const {
  const std::vector<Strips> strips = strips_of(slice, Which::kTouching);
  const auto place = [](const Part& part, int64_t strip) {
    return part.offset + static_cast<size_t>(strip) * part.matrix->strip_bytes;
  };
  const size_t first = place(*strips.front().part, strips.front().begin);
  const size_t last = place(*strips.back().part, strips.back().end);
  scratch.assign(last - first, std::byte{0});
  for (const Strips& s : strips)
    pack_strips(*s.part->matrix, s.begin, s.end, scratch.data() + place(*s.part, s.begin) - first);
  return std::span(scratch).subspan(slice * kSlice - first, slice_bytes(slice));
}

int PackPlan::node(size_t slice, std::span<const int> node_of) const {
  const int nodes = 1 + *std::max_element(node_of.begin(), node_of.end());
  std::vector<size_t> bytes(static_cast<size_t>(nodes));
  for (const Strips& s : strips_of(slice, Which::kBeginning)) {
    const Matrix& m = *s.part->matrix;
    for (int64_t strip = s.begin; strip < s.end; ++strip) {
      const int64_t row =
          strip / m.group_strips * m.group_rows + strip % m.group_strips * kStripRows;
      const int reader = reader_of(m, row, node_of.size());
      if (reader >= 0)
        bytes[static_cast<size_t>(node_of[static_cast<size_t>(reader)])] += m.strip_bytes;
    }
  }
  const auto most = std::max_element(bytes.begin(), bytes.end());
  if (*most == 0) return static_cast<int>(slice % static_cast<size_t>(nodes));
  return static_cast<int>(most - bytes.begin());
}

void PackPlan::for_sources(size_t slice, const Visit& visit) const {
  Spans spans(visit);
  for (const Strips& s : strips_of(slice, Which::kTouching))
    add_strips(*s.part->matrix, s.begin, s.end, spans);
  spans.close();
}

void PackPlan::for_own_sources(size_t slice, const Visit& visit) const {
  Spans spans(visit);
  for (const Strips& s : strips_of(slice, Which::kInside))
    add_strips(*s.part->matrix, s.begin, s.end, spans);
  spans.close();
}

void PackPlan::for_sources(const Part& part, const Visit& visit) {
  Spans spans(visit);
  const FileMatrix& file = part.matrix->file;
  for (const RowRun& run : file.runs)
    spans.add(run.data, static_cast<size_t>(run.rows) * row_bytes(file.dtype, file.cols));
  spans.close();
}

}  // namespace braid::cpu
