#include "format/content.h"

#include "format/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace braid {
namespace {

struct Known {
  std::string_view beginning;
  std::string_view description;
};

constexpr std::string_view kPyTorch =
    ": save the weights as safetensors (save_pretrained does), Braid reads no pickles";

const Known kKnown[] = {
    {"GGUF", "a GGUF file"},
    {"FUGG", "a GGUF file with its magic reversed: the file is damaged, download it again"},
    {"ggml", "a GGML file from before GGUF: convert the original model to GGUF again"},
    {"lmgg", "a GGML file from before GGUF: convert the original model to GGUF again"},
    {"fmgg", "a GGML file from before GGUF: convert the original model to GGUF again"},
    {"tjgg", "a GGML file from before GGUF: convert the original model to GGUF again"},
    {"version https://git-lfs",
     "a Git LFS pointer: the model itself was not downloaded, run `git lfs pull` in its folder"},
    {"\x1f\x8b", "a gzip archive: unpack it first"},
    {"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"},
    {"BZh", "a bzip2 archive: unpack it first"},
    {"\xfd"
     "7zXZ",
     "an xz archive: unpack it first"},
    {"\x89HDF", "an HDF5 file: save the weights as safetensors"},
    {"\x93NUMPY", "a NumPy array: save the weights as safetensors"},
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool begins_with_tag(std::string_view text, std::string_view tag) {
  return text.size() >= tag.size() &&
         std::equal(tag.begin(), tag.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

}  // namespace

bool looks_like_gguf(std::span<const std::byte> bytes) {
  return text_of(bytes).starts_with("GGUF");
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  uint64_t header = 0;
  if (bytes.size() <= sizeof(header) || bytes[sizeof(header)] != std::byte{'{'}) return false;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header <= bytes.size() - sizeof(header);
}

std::string describe_content(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes.first(std::min<size_t>(bytes.size(), 1024)));
  if (text.empty()) return "an empty file: download it again";
  for (const Known& known : kKnown) {
    if (text.starts_with(known.beginning)) return std::string(known.description);
  }
  if (text.starts_with("PK\x03\x04")) {
    return fmt::format("a zip archive, as PyTorch writes .bin, .pt and .pth files{}", kPyTorch);
  }
  if (text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
    return fmt::format("a Python pickle, as old PyTorch writes .bin and .pt files{}", kPyTorch);
  }
  const size_t start = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  for (const std::string_view tag : {"<!doctype html", "<html", "<?xml"}) {
    if (begins_with_tag(text.substr(start), tag)) {
      return "a web page, perhaps an error page saved under the model's name: download the model "
             "again";
    }
  }
  if (looks_like_safetensors(bytes)) return "a safetensors file";
  if (text.substr(start).starts_with('{')) return "JSON text";
  if (std::all_of(text.begin(), text.end(), [](char c) { return c == '\0'; })) {
    return "zeros: the download did not finish, download it again";
  }
  return fmt::format("unknown content that begins with \"{}\"", printable(text.substr(0, 16)));
}

}  // namespace braid
