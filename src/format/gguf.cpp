#include "format/gguf.h"

#include "base/check.h"
#include "format/gguf_part.h"

#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

namespace braid {
namespace {

constexpr int64_t kMaxParts = 65535;  // split.count is a u16

// What a part of a split model says about itself.
struct Split {
  int64_t number = 0;  // from 0
  int64_t count = 1;
  int64_t tensors = 0;  // of all parts together
};

Split read_split(const Metadata& metadata) {
  Split split;
  split.count = metadata.integer_or("split.count", 1, 0, kMaxParts);
  if (split.count <= 1) return {};
  split.number = metadata.integer("split.no", 0, split.count - 1);
  split.tensors = metadata.integer("split.tensors.count", 0);
  return split;
}

std::string part_suffix(int64_t number, int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count);
}

// The paths of all parts; throws unless `path` is named as the part that it is.
std::vector<std::string> part_paths(const std::string& path, const Split& split) {
  const std::string suffix = part_suffix(split.number, split.count);
  if (!path.ends_with(suffix)) {
    fail(
        "{}: is part {} of {} by its metadata, so its name must end in {}: give the parts their "
        "names back",
        path, split.number + 1, split.count, suffix);
  }
  const std::string prefix = path.substr(0, path.size() - suffix.size());
  std::vector<std::string> paths;
  std::string first_missing;
  size_t missing = 0;
  for (int64_t i = 0; i < split.count; ++i) {
    paths.push_back(prefix + part_suffix(i, split.count));
    std::error_code ignored;
    if (std::filesystem::exists(paths.back(), ignored)) continue;
    if (missing++ == 0) first_missing = paths.back();
  }
  if (missing != 0) {
    fail("{}: is one of {} parts and needs {}{}: download what is missing into the same folder",
         path, split.count, first_missing,
         missing == 1 ? "" : fmt::format(" and {} more that are missing", missing - 1));
  }
  return paths;
}

void check_split(const std::string& path, const Split& found, const Split& expected) {
  if (found.number != expected.number || found.count != expected.count) {
    fail(
        "{}: is part {} of {} by its metadata, expected part {} of {}: the parts are of different "
        "models or were renamed, download them again",
        path, found.number + 1, found.count, expected.number + 1, expected.count);
  }
  if (found.tensors != expected.tensors) {
    fail(
        "{}: key split.tensors.count is {}, another part has {}: the parts are of different "
        "models, download them again",
        path, found.tensors, expected.tensors);
  }
}

}  // namespace

std::unique_ptr<GgufFile> GgufFile::open(const std::string& path) {
  auto model = std::unique_ptr<GgufFile>(new GgufFile);
  model->path_ = path;
  MmapFile named(path);
  GgufPart named_part = parse_gguf_part(path, named.bytes());
  Split split = read_split(*named_part.metadata);
  if (split.count == 1) {
    model->files_.push_back(std::move(named));
    model->metadata_ = std::move(named_part.metadata);
    model->tensors_ = std::move(named_part.tensors);
    model->index();
    return model;
  }
  for (const std::string& part_path : part_paths(path, split)) {
    const MmapFile& file = model->files_.emplace_back(part_path);
    GgufPart part = parse_gguf_part(part_path, file.bytes());
    split.number = static_cast<int64_t>(model->files_.size()) - 1;
    check_split(part_path, read_split(*part.metadata), split);
    if (!model->metadata_) model->metadata_ = std::move(part.metadata);
    model->tensors_.insert(model->tensors_.end(), std::make_move_iterator(part.tensors.begin()),
                           std::make_move_iterator(part.tensors.end()));
  }
  if (!std::in_range<int64_t>(model->tensors_.size()) ||
      static_cast<int64_t>(model->tensors_.size()) != split.tensors) {
    fail("{}: the {} parts hold {} tensors, expected {} (split.tensors.count): download them again",
         path, split.count, model->tensors_.size(), split.tensors);
  }
  model->index();
  return model;
}

std::unique_ptr<GgufFile> GgufFile::parse(const std::string& name,
                                          std::span<const std::byte> bytes) {
  auto model = std::unique_ptr<GgufFile>(new GgufFile);
  model->path_ = name;
  GgufPart part = parse_gguf_part(name, bytes);
  const Split split = read_split(*part.metadata);
  if (split.count != 1) {
    fail("{}: is part {} of {}: open it by its path, with the other parts beside it", name,
         split.number + 1, split.count);
  }
  model->metadata_ = std::move(part.metadata);
  model->tensors_ = std::move(part.tensors);
  model->index();
  return model;
}

}  // namespace braid
