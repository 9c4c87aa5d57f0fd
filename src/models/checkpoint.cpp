#include "models/checkpoint.h"

#include "base/check.h"

#include <algorithm>
#include <cmath>

namespace braid {

const FileTensor& Checkpoint::checked(const std::string& name, int64_t rows, int64_t cols,
                                      const std::string& why) const {
  const FileTensor& t = file_.get(name);
  if (t.columns() != cols || t.rows() != rows)
    fail(
        "{}: {}: shape {}, expected [{}, {}] ({}); the file's tensors and its config do not belong "
        "together",
        t.path, name, shape_text(t.shape), rows, cols, why);
  if (!info(t.dtype).weights)
    fail("{}: {}: type {} holds no weights that Braid can compute with", t.path, name,
         info(t.dtype).name);
  return t;
}

// The factors that come with NVFP4 tensors: one, or one per expert.
std::vector<float> Checkpoint::scales(const std::string& name) const {
  const std::string_view suffix = ".weight";
  if (!name.ends_with(suffix)) return {};
  const std::string scale_name = name.substr(0, name.size() - suffix.size()) + ".scale";
  const FileTensor* t = file_.find(scale_name);
  return t ? vector(scale_name, t->elements(), "") : std::vector<float>{};
}

FileMatrix Checkpoint::matrix(const std::string& name, int64_t rows, int64_t cols,
                              const std::string& why) const {
  const FileTensor& t = checked(name, rows, cols, why);
  const std::vector<float> factors = scales(name);
  FileMatrix m{t.dtype, cols, {}};
  const auto parts = static_cast<int64_t>(std::max<size_t>(factors.size(), 1));
  if (rows % parts != 0) fail("{}: {}: {} scales for {} rows", t.path, name, factors.size(), rows);
  const size_t part_bytes = row_bytes(t.dtype, cols) * static_cast<size_t>(rows / parts);
  for (int64_t i = 0; i < parts; ++i)
    m.runs.push_back({t.bytes.data() + static_cast<size_t>(i) * part_bytes, rows / parts,
                      factors.empty() ? 1.0f : factors[static_cast<size_t>(i)]});
  return m;
}

std::vector<float> Checkpoint::vector(const std::string& name, int64_t n,
                                      const std::string& why) const {
  const FileTensor& t = file_.get(name);
  if (t.elements() != n)
    fail(
        "{}: {}: {} numbers of shape {}, expected {} ({}); the file's tensors and its config do "
        "not belong together",
        t.path, name, t.elements(), shape_text(t.shape), n, why);
  if (!info(t.dtype).weights)
    fail("{}: {}: type {} holds no weights that Braid can compute with", t.path, name,
         info(t.dtype).name);
  std::vector<float> values(static_cast<size_t>(n));
  decode_row(t.dtype, t.bytes.data(), n, values.data());
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
    fail("{}: {}: holds NaN or infinite numbers: the file is damaged or was converted wrongly",
         t.path, name);
  return values;
}

void append_rows(FileMatrix& to, const FileMatrix& m, int64_t begin, int64_t count) {
  CHECK(begin >= 0 && count >= 0 && begin + count <= m.rows());
  const size_t bytes = row_bytes(m.dtype, m.cols);
  for (const RowRun& run : m.runs) {
    const int64_t n = std::min(run.rows - begin, count);
    if (n > 0) {
      to.runs.push_back({run.data + static_cast<size_t>(begin) * bytes, n, run.scale});
      begin += n;
      count -= n;
    }
    begin -= run.rows;
    if (count == 0) return;
  }
}

FileMatrix stack(const std::vector<FileMatrix>& parts, const std::string& what) {
  FileMatrix all{parts.at(0).dtype, parts[0].cols, {}};
  for (const FileMatrix& part : parts) {
    if (part.dtype != all.dtype)
      fail("{}: parts of types {} and {}; Braid needs one type for all", what, info(all.dtype).name,
           info(part.dtype).name);
    CHECK(part.cols == all.cols);
    all.runs.insert(all.runs.end(), part.runs.begin(), part.runs.end());
  }
  return all;
}

FileMatrix take_groups(const FileMatrix& m, int64_t groups, int64_t begin, int64_t count) {
  FileMatrix taken{m.dtype, m.cols, {}};
  const int64_t group = m.rows() / groups;
  for (int64_t g = 0; g < groups; ++g) append_rows(taken, m, g * group + begin, count);
  return taken;
}

}  // namespace braid
