// safetensors files and folders with one thing wrong each, and files that are something else
// altogether (format/bad_files.h).
#include "format/bad_files.h"

#include <string>
#include <string_view>
#include <vector>

namespace braid::test {
namespace {

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kFirst = "model-00001-of-00002.safetensors";
constexpr const char* kSecond = "model-00002-of-00002.safetensors";
constexpr std::string_view kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 17179869184\n";

BadFile header(std::string what, std::string_view json) {
  return bad_file(std::move(what), "bad.safetensors", raw_safetensors(json, 16));
}

// A header of one tensor `w`.
BadFile tensor(std::string what, std::string_view fields) {
  return header(std::move(what), fmt::format(R"({{"w":{{{}}}}})", fields));
}

std::string shard(std::string_view name) {
  return raw_safetensors(
      fmt::format(R"({{"{}":{{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}}})", name), 16);
}

std::string index(std::string_view weight_map) {
  return fmt::format(R"({{"metadata":{{"total_size":32}},"weight_map":{{{}}}}})", weight_map);
}

BadFile shards(std::string what, std::string_view weight_map,
               std::vector<std::pair<std::string, std::string>> files) {
  files.emplace_back(kIndex, index(weight_map));
  files.emplace_back("config.json", "{}");
  return bad_folder(std::move(what), std::move(files), true);
}

void add_headers(std::vector<BadFile>& out) {
  const std::string good = shard("w");
  out.push_back(bad_file("3 bytes", "bad.safetensors", "abc"));
  out.push_back(bad_file("a header of 2^63 bytes", "bad.safetensors", le(1ull << 63) + "{}"));
  out.push_back(bad_file("a header longer than the file", "bad.safetensors",
                         good.substr(0, good.size() - 20)));
  out.push_back(header("a header that is a list", "[1,2]"));
  out.push_back(header("a header that is not JSON", R"({"w":{"dtype":oops}})"));
  out.push_back(header("a header that is not UTF-8", "{\"w\xff\":{}}"));
  out.push_back(header("a header of 100,000 levels", R"({"w":)" + std::string(100000, '[')));
  out.push_back(header("a tensor twice",
                       R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"));
  out.push_back(header("__metadata__ with a number", R"({"__metadata__":{"format":1}})"));
  out.push_back(header("a tensor that is a list", R"({"w":[0,16]})"));
  out.push_back(header("a control character in a name",
                       R"({"w\u0007":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"));
}

void add_tensors(std::vector<BadFile>& out) {
  out.push_back(tensor("no dtype", R"("shape":[4],"data_offsets":[0,16])"));
  out.push_back(
      tensor("a dtype that is a number", R"("dtype":32,"shape":[4],"data_offsets":[0,16])"));
  for (const char* dtype : {"F8_E4M3", "F8_E5M2", "F8_E8M0", "BOOL", "U8", "Q4_K"}) {
    out.push_back(tensor(fmt::format("dtype {}", dtype),
                         fmt::format(R"("dtype":"{}","shape":[16],"data_offsets":[0,16])", dtype)));
  }
  out.push_back(tensor(
      "a dtype of 10,000 characters",
      fmt::format(R"("dtype":"{}","shape":[4],"data_offsets":[0,16])", std::string(10000, 'F'))));
  out.push_back(tensor("no shape", R"("dtype":"F32","data_offsets":[0,16])"));
  out.push_back(tensor("a shape in words", R"("dtype":"F32","shape":"4","data_offsets":[0,16])"));
  out.push_back(
      tensor("a negative dimension", R"("dtype":"F32","shape":[-4],"data_offsets":[0,16])"));
  out.push_back(
      tensor("a fractional dimension", R"("dtype":"F32","shape":[4.0],"data_offsets":[0,16])"));
  out.push_back(tensor("a dimension of 2^63",
                       R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,16])"));
  out.push_back(tensor("more weights than 63 bits count",
                       R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16])"));
  out.push_back(tensor("a product that overflows on its way to 0",
                       R"("dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0])"));
  out.push_back(
      tensor("9 dimensions", R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16])"));
  out.push_back(tensor("no data_offsets", R"("dtype":"F32","shape":[4])"));
  out.push_back(
      tensor("three data_offsets", R"("dtype":"F32","shape":[4],"data_offsets":[0,16,32])"));
  out.push_back(
      tensor("an end before the begin", R"("dtype":"F32","shape":[4],"data_offsets":[16,0])"));
  out.push_back(
      tensor("an end beyond the file", R"("dtype":"F32","shape":[5],"data_offsets":[0,20])"));
  out.push_back(tensor("fewer bytes than the shape takes",
                       R"("dtype":"F32","shape":[4],"data_offsets":[0,12])"));
  out.push_back(header("a tensor that reaches into the next",
                       R"({"v":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
                       R"("w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"));
  out.push_back(bad_file("a Git LFS pointer", "bad.safetensors", std::string(kPointer)));
}

}  // namespace

std::vector<BadFile> bad_safetensors_files() {
  std::vector<BadFile> out;
  add_headers(out);
  add_tensors(out);
  return out;
}

std::vector<BadFile> bad_folders() {
  const std::string both = fmt::format(R"("a":"{}","b":"{}")", kFirst, kSecond);
  return {
      bad_folder("no config.json", {{"model.safetensors", shard("w")}}, true),
      bad_folder("a config.json cut short",
                 {{"model.safetensors", shard("w")}, {"config.json", "{\"model_type\":\n \"qw"}},
                 true),
      bad_folder("a config.json that is a list",
                 {{"model.safetensors", shard("w")}, {"config.json", "[]"}}, true),
      bad_folder("an index that is not JSON", {{kIndex, "<html>"}}, true),
      bad_folder("an index without weight_map", {{kIndex, "{\"metadata\":{}}"}}, true),
      shards("a shard in another folder", R"("a":"../a.safetensors")", {}),
      shards("a shard with an absolute path", R"("a":"/tmp/a.safetensors")", {}),
      shards("a shard that is a pickle", R"("a":"pytorch_model.bin")", {}),
      shards("a shard that is a number", R"("a":1)", {}),
      shards("a missing shard", both, {{kFirst, shard("a")}}),
      shards("a shard that is a Git LFS pointer", both,
             {{kFirst, shard("a")}, {kSecond, std::string(kPointer)}}),
      shards("a tensor that is not in its shard", both + fmt::format(R"(,"c":"{}")", kSecond),
             {{kFirst, shard("a")}, {kSecond, shard("b")}}),
      shards("a tensor that is in another shard",
             fmt::format(R"("a":"{0}","b":"{0}","c":"{1}")", kFirst, kSecond),
             {{kFirst, shard("a")}, {kSecond, shard("b")}}),
      shards("a tensor that the index does not list", fmt::format(R"("a":"{}")", kFirst),
             {{kFirst, shard("b")}}),
      shards("a tensor in two shards", both, {{kFirst, shard("a")}, {kSecond, shard("a")}}),
      bad_folder("an empty folder", {}, true),
      bad_folder("a folder with a GGUF", {{"model-Q4_K.gguf", "GGUF"}}, true),
      bad_folder("a folder with shards but no index", {{kFirst, shard("a")}}, true),
      bad_folder("a folder with pickles", {{"pytorch_model.bin", "PK\3\4"}}, true),
  };
}

std::vector<BadFile> other_files() {
  return {
      {"no such file", [](const TemporaryFolder& folder) { return folder / "absent.gguf"; }},
      bad_file("an empty file", "model.gguf", ""),
      bad_file("a web page", "model.gguf", "\n<!DOCTYPE html>\n<html><body>404</body></html>"),
      bad_file("a Git LFS pointer", "model.gguf", std::string(kPointer)),
      bad_file("a PyTorch checkpoint", "pytorch_model.bin", "PK\3\4" + std::string(100, '\0')),
      bad_file("an old PyTorch checkpoint", "model.pt",
               "\x80\2\x8a\nl\xfc\x9c" + std::string(9, 'F')),
      bad_file("a file of zeros", "model.gguf", std::string(4096, '\0')),
      bad_file("the magic reversed", "model.gguf", "FUGG" + std::string(20, '\0')),
      bad_file("a file from before GGUF", "model.bin", "tjgg" + std::string(20, '\3')),
      bad_file("a gzip archive", "model.gguf.gz", "\x1f\x8b\x08" + std::string(20, '\0')),
      bad_file("eight bytes and a brace", "model", "\xff\xff\xff\xff\xff\xff\xff\x01{\"a\"}"),
      bad_file("config.json", "config.json", "{\"model_type\": \"qwen3_next\"}"),
      bad_file("JSON under another name", "model", "  {\"a\": 1}"),
      bad_file("plain text", "notes.txt", "just some text\n"),
      bad_file("unknown bytes", "model.gguf", "\x01\x02\xff\x1b[31m" + std::string(40, '\xee')),
  };
}

}  // namespace braid::test
