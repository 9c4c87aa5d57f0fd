#include "format/safetensors.h"

#include "base/check.h"
#include "format/content.h"
#include "format/json.h"
#include "format/printable.h"
#include "format/safetensors_part.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

namespace braid {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::string_view kExtension = ".safetensors";

bool file_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// "model-00001-of-00003.safetensors"
bool is_shard_name(std::string_view name) {
  constexpr std::string_view kPattern = "-#####-of-#####.safetensors";
  if (name.size() <= kPattern.size()) return false;
  name.remove_prefix(name.size() - kPattern.size());
  return std::equal(name.begin(), name.end(), kPattern.begin(), [](char c, char pattern) {
    return pattern == '#' ? std::isdigit(static_cast<unsigned char>(c)) != 0 : c == pattern;
  });
}

// The file names of the index come from outside: only plain names in the same folder are followed.
bool is_safe_name(std::string_view name) {
  return is_plain_name(name) && name.size() <= 255 && name.ends_with(kExtension) &&
         name.find('/') == name.npos && name.find('\\') == name.npos &&
         name.find("..") == name.npos;
}

// Tensor name -> file name.
nlohmann::json read_weight_map(const std::string& path) {
  nlohmann::json index = read_json(path);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    fail("{}: no object named weight_map: the file is damaged, download it again", path);
  }
  nlohmann::json map = std::move(index["weight_map"]);
  for (const auto& [tensor, file] : map.items()) {
    if (!file.is_string() || !is_safe_name(file.get_ref<const std::string&>())) {
      fail(
          "{}: tensor {} is said to lie in {}, expected the name of a .safetensors file in the "
          "same folder: download the index again",
          path, printable(tensor), json_text(file));
    }
  }
  return map;
}

// What to do about a folder that has neither kSingle nor kIndex.
std::string describe_folder(const fs::path& folder) {
  std::string gguf, shard, pickle;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const std::string extension = at->path().extension().string();
    const bool is_pickle = extension == ".bin" || extension == ".pt" || extension == ".pth";
    std::string* kind = extension == ".gguf"      ? &gguf
                        : extension == kExtension ? &shard
                        : is_pickle               ? &pickle
                                                  : nullptr;
    if (kind != nullptr && (kind->empty() || name < *kind)) *kind = name;
  }
  if (error) return fmt::format("it cannot be listed: {}", error.message());
  if (!gguf.empty()) return fmt::format("it holds {}: name that file", printable(gguf));
  if (!shard.empty()) {
    return fmt::format("it holds {}: name that file, or download the index beside its shards",
                       printable(shard));
  }
  if (!pickle.empty()) {
    return fmt::format(
        "it holds {}, but Braid reads no pickles: save the weights as safetensors "
        "(save_pretrained does)",
        printable(pickle));
  }
  return "download the model into it, or name another folder";
}

}  // namespace

void SafetensorsFolder::add_file(const std::string& path) {
  const MmapFile& file = files_.emplace_back(path);
  std::vector<FileTensor> tensors = parse_safetensors_part(path, file.bytes());
  tensors_.insert(tensors_.end(), std::make_move_iterator(tensors.begin()),
                  std::make_move_iterator(tensors.end()));
}

void SafetensorsFolder::add_shards(const std::string& index_path) {
  const nlohmann::json map = read_weight_map(index_path);
  std::set<std::string> names;
  for (const nlohmann::json& file : map) names.insert(file.get<std::string>());
  const fs::path folder(folder_);
  for (const std::string& name : names) {
    const std::string path = folder / name;
    if (!file_exists(path)) {
      fail("{}: is missing, and {} needs it: download it into the same folder", path, kIndex);
    }
    const size_t before = tensors_.size();
    add_file(path);
    for (size_t i = before; i < tensors_.size(); ++i) {
      const auto listed = map.find(tensors_[i].name);
      if (listed == map.end() || *listed != name) {
        fail(
            "{}: tensor {} lies in this file, but {} {}: the folder mixes two downloads, download "
            "the model again",
            path, printable(tensors_[i].name), kIndex,
            listed == map.end() ? "does not list it"
                                : fmt::format("says {}", listed->get<std::string>()));
      }
    }
  }
  index();
  for (const auto& [tensor, file] : map.items()) {
    if (find(tensor) != nullptr) continue;
    fail(
        "{}: tensor {} is said to lie in {}, but it does not: the folder mixes two downloads, "
        "download the model again",
        index_path, printable(tensor), file.get<std::string>());
  }
}

void SafetensorsFolder::open_folder() {
  const fs::path folder(folder_);
  // Both may be there; transformers takes the single file first, too.
  if (file_exists(folder / kSingle)) {
    add_file(folder / kSingle);
    index();
  } else if (file_exists(folder / kIndex)) {
    add_shards(folder / kIndex);
  } else {
    fail("{}: a folder with neither {} nor {}: {}", folder_, kSingle, kIndex,
         describe_folder(folder));
  }
  const fs::path config = folder / "config.json";
  if (!file_exists(config)) {
    fail("{}: is missing, and the model needs it: download it into the same folder",
         config.string());
  }
  config_ = std::make_unique<JsonConfig>(config.string());
}

std::unique_ptr<SafetensorsFolder> SafetensorsFolder::open(const std::string& path) {
  auto model = std::unique_ptr<SafetensorsFolder>(new SafetensorsFolder);
  model->path_ = path;
  const fs::path file(path);
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    model->folder_ = path;
    model->open_folder();
    return model;
  }
  const fs::path parent = file.parent_path();
  model->folder_ = parent.empty() ? "." : parent.string();
  if (is_shard_name(file.filename().string()) && file_exists(fs::path(model->folder_) / kIndex)) {
    model->open_folder();
    return model;
  }
  model->add_file(path);
  model->index();
  const fs::path config = fs::path(model->folder_) / "config.json";
  if (file_exists(config)) model->config_ = std::make_unique<JsonConfig>(config.string());
  return model;
}

std::unique_ptr<SafetensorsFolder> SafetensorsFolder::parse(const std::string& name,
                                                            std::span<const std::byte> bytes) {
  auto model = std::unique_ptr<SafetensorsFolder>(new SafetensorsFolder);
  model->path_ = name;
  model->tensors_ = parse_safetensors_part(name, bytes);
  model->index();
  return model;
}

}  // namespace braid
