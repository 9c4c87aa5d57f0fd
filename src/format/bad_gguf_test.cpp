// GGUF files with one thing wrong each (format/bad_files.h).
#include "format/bad_files.h"

#include <string>
#include <string_view>
#include <vector>

namespace braid::test {
namespace {

enum : int32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

BadFile gguf(std::string what, const RawGguf& raw) {
  return bad_file(std::move(what), "bad.gguf", raw.build());
}

// A file with one key that nothing is wrong with, to be spoilt.
RawGguf named() { return RawGguf().key("general.name", kString, gguf_string("x")); }

// One f32 tensor of four weights at offset 0, to be spoilt.
RawGguf with_tensor(std::string_view name, const std::vector<int64_t>& ne, int32_t type,
                    uint64_t offset) {
  RawGguf raw;
  raw.tensor("good", {4}, 0, 0).tensor(name, ne, type, offset);
  raw.data = std::string(64, 'x');
  return raw;
}

void add_headers(std::vector<BadFile>& out) {
  out.push_back(bad_file("nothing after the magic", "bad.gguf", "GGUF"));
  for (const uint32_t version : {0u, 1u, 4u, 0x03000000u}) {
    RawGguf raw = named();
    raw.version = version;
    out.push_back(gguf(version > 9 ? "big-endian" : fmt::format("version {}", version), raw));
  }
  out.push_back(bad_file("cut in the counts", "bad.gguf", named().build().substr(0, 20)));
  RawGguf raw = named();
  raw.announced_keys = UINT64_MAX;
  out.push_back(gguf("2^64-1 keys", raw));
  raw.announced_keys = 1000;
  out.push_back(gguf("more keys announced than bytes", raw));
  raw = named();
  raw.announced_tensors = 1ull << 60;
  out.push_back(gguf("2^60 tensors", raw));
  raw = named();
  raw.announced_keys = 2;
  raw.data = std::string(64, '\0');
  out.push_back(gguf("one key more announced than there are", raw));
}

void add_keys(std::vector<BadFile>& out) {
  RawGguf raw;
  raw.keys = le(uint64_t{1} << 40) + std::string(20, 'k');
  raw.n_keys = 1;
  out.push_back(gguf("a key of 2^40 bytes", raw));
  raw.keys = le(uint64_t{60}) + "short key";
  raw.alignment = 1;
  out.push_back(gguf("a key longer than the file", raw));
  const std::string one = le(uint32_t{1});
  out.push_back(gguf("a key of 65,536 bytes", RawGguf().key(std::string(65536, 'k'), kU32, one)));
  out.push_back(gguf("an empty key", RawGguf().key("", kU32, one)));
  out.push_back(gguf("a key that is not UTF-8", RawGguf().key("gen\xff\xc3(eral", kU32, one)));
  out.push_back(
      gguf("a terminal's escape sequence in a key", RawGguf().key("\x1b]0;title\a", kU32, one)));
  out.push_back(gguf("a key twice", named().key("general.name", kString, gguf_string("y"))));
}

void add_values(std::vector<BadFile>& out) {
  out.push_back(gguf("a value of type 13", RawGguf().key("a", 13, std::string(16, '\0'))));
  out.push_back(gguf("a value of type -1", RawGguf().key("a", -1, std::string(16, '\0'))));
  RawGguf raw = RawGguf().key("a", kF64, "1234");
  raw.alignment = 1;
  out.push_back(gguf("a number cut short", raw));
  out.push_back(gguf("a bool of 2", RawGguf().key("a", kBool, "\2")));
  out.push_back(gguf("a bool of 255 in an array", RawGguf().array("a", kBool, 3, "\1\1\xff")));
  out.push_back(gguf("a string longer than the file",
                     RawGguf().key("general.name", kString, le(uint64_t{1000}) + "x")));
  out.push_back(gguf("a string of 2^64-1 bytes",
                     RawGguf().key("general.name", kString, le(UINT64_MAX) + "x")));
  out.push_back(gguf("an array of arrays", RawGguf().array("a", kArray, 1, std::string(20, '\0'))));
  out.push_back(gguf("an array of type 99", RawGguf().array("a", 99, 1, std::string(20, '\0'))));
  out.push_back(
      gguf("an array of 2^61 numbers", RawGguf().array("a", kU64, 1ull << 61, "12345678")));
  out.push_back(gguf("an array of 2^63 bools", RawGguf().array("a", kBool, 1ull << 63, "\1")));
  out.push_back(gguf("an array of more strings than bytes",
                     RawGguf().array("tokens", kString, 1000, gguf_string("one"))));
  out.push_back(
      gguf("an array whose last string is cut",
           RawGguf().array("tokens", kString, 2, gguf_string("one") + le(uint64_t{400}))));
  out.push_back(gguf("alignment 0", RawGguf().key("general.alignment", kU32, le(0u))));
  out.push_back(gguf("alignment 24", RawGguf().key("general.alignment", kU32, le(24u))));
  out.push_back(gguf("alignment 2^31", RawGguf().key("general.alignment", kU32, le(1u << 31))));
  out.push_back(gguf("alignment -32", RawGguf().key("general.alignment", kI32, le(-32))));
  out.push_back(
      gguf("alignment in words", RawGguf().key("general.alignment", kString, gguf_string("32"))));
}

void add_tensors(std::vector<BadFile>& out) {
  out.push_back(gguf("a name of 64 bytes", with_tensor(std::string(64, 'n'), {4}, 0, 32)));
  out.push_back(gguf("a name of 2^63 bytes", [] {
    RawGguf raw = with_tensor("x", {4}, 0, 32);
    const std::string name = gguf_string("x");
    raw.tensors.replace(raw.tensors.rfind(name), 8, le(1ull << 63));
    return raw;
  }()));
  out.push_back(gguf("an empty name", with_tensor("", {4}, 0, 32)));
  out.push_back(gguf("a name that is not UTF-8", with_tensor("blk\xf5.0", {4}, 0, 32)));
  out.push_back(gguf("a name twice", with_tensor("good", {4}, 0, 32)));
  out.push_back(gguf("0 dimensions", with_tensor("bad", {}, 0, 32)));
  out.push_back(gguf("5 dimensions", with_tensor("bad", {1, 1, 1, 1, 1}, 0, 32)));
  out.push_back(gguf("a dimension of 0", with_tensor("bad", {4, 0}, 0, 32)));
  out.push_back(gguf("a negative dimension", with_tensor("bad", {-4, -1}, 0, 32)));
  constexpr int64_t kHuge = int64_t{1} << 32;
  out.push_back(gguf("more weights than 63 bits count", with_tensor("bad", {kHuge, kHuge}, 0, 32)));
  out.push_back(gguf("more bytes than 63 bits count", with_tensor("bad", {INT64_MAX}, 28, 32)));
  out.push_back(gguf("a product that wraps to 4 weights",
                     with_tensor("bad", {4, (int64_t{1} << 62) + 1, 1, 1}, 0, 32)));
  out.push_back(gguf("rows that end within a block", with_tensor("bad", {100, 2}, 12, 32)));
  out.push_back(gguf("a removed type", with_tensor("bad", {32}, 4, 32)));
  out.push_back(gguf("a type of activations", with_tensor("bad", {256}, 15, 32)));
  out.push_back(gguf("a type not read yet", with_tensor("bad", {256}, 34, 32)));
  out.push_back(gguf("a type of ik_llama.cpp", with_tensor("bad", {256}, 139, 32)));
  out.push_back(gguf("a repacked type", with_tensor("bad", {256, 4}, 212, 32)));
  out.push_back(gguf("an unknown type", with_tensor("bad", {4}, 1000, 32)));
  out.push_back(gguf("a negative type", with_tensor("bad", {4}, -1, 32)));
  out.push_back(gguf("an offset off the alignment", with_tensor("bad", {4}, 0, 36)));
  out.push_back(gguf("an offset beyond the end", with_tensor("bad", {4}, 0, 1 << 20)));
  out.push_back(gguf("an offset of 2^64-32", with_tensor("bad", {8}, 0, UINT64_MAX - 31)));
  out.push_back(gguf("a tensor that ends beyond the file", with_tensor("bad", {9}, 0, 32)));
  out.push_back(gguf("two tensors at one offset", with_tensor("bad", {2}, 0, 0)));
  RawGguf raw;
  raw.tensor("first", {16}, 0, 0).tensor("second", {4}, 0, 32);
  raw.data = std::string(64, 'x');
  out.push_back(gguf("a tensor that reaches into the next", raw));
  raw = with_tensor("bad", {4}, 0, 32);
  raw.announced_tensors = 3;
  out.push_back(gguf("one tensor more announced than there are", raw));
  raw = with_tensor("bad", {4}, 0, 32);
  raw.data.clear();
  raw.alignment = 1;
  out.push_back(gguf("cut before the tensors' bytes", raw));
}

std::string part(int number, int count, int tensors, std::string_view tensor_name) {
  RawGguf raw;
  raw.key("split.no", kU16, le(static_cast<uint16_t>(number)));
  raw.key("split.count", kU16, le(static_cast<uint16_t>(count)));
  raw.key("split.tensors.count", kI32, le(tensors));
  raw.tensor(tensor_name, {4}, 0, 0);
  raw.data = std::string(16, 'x');
  return raw.build();
}

}  // namespace

std::vector<BadFile> bad_gguf_files() {
  std::vector<BadFile> out;
  add_headers(out);
  add_keys(out);
  add_values(out);
  add_tensors(out);
  return out;
}

std::vector<BadFile> bad_split_files() {
  const std::string first = "m-00001-of-00002.gguf";
  const std::string second = "m-00002-of-00002.gguf";
  const std::string a = part(0, 2, 2, "a");
  const std::string b = part(1, 2, 2, "b");
  RawGguf no_total;
  no_total.key("split.no", kU16, le(uint16_t{0})).key("split.count", kU16, le(uint16_t{2}));
  return {
      bad_folder("a missing part", {{first, a}}),
      bad_folder("two missing parts", {{"m-00002-of-00003.gguf", part(1, 3, 3, "b")}}),
      bad_folder("65,535 parts", {{"m-00001-of-65535.gguf", part(0, 65535, 1, "a")}}),
      bad_folder("a renamed part", {{"model.gguf", a}, {second, b}}),
      bad_folder("the first part twice", {{first, a}, {second, a}}),
      bad_folder("a part of a model of 3", {{first, a}, {second, part(1, 3, 2, "b")}}),
      bad_folder("a part of another model", {{first, a}, {second, part(1, 2, 9, "b")}}),
      bad_folder("a part without split keys", {{first, a}, {second, named().build()}}),
      bad_folder("more tensors announced than there are",
                 {{first, part(0, 2, 3, "a")}, {second, part(1, 2, 3, "b")}}),
      bad_folder("one name in two parts", {{first, a}, {second, part(1, 2, 2, "a")}}),
      bad_folder("a part cut short", {{first, a}, {second, b.substr(0, b.size() - 5)}}),
      bad_folder("part 3 of 2", {{first, part(2, 2, 2, "a")}}),
      bad_folder("no split.tensors.count", {{first, no_total.build()}}),
      bad_folder("split.count -1",
                 {{first, RawGguf().key("split.count", kI32, le(int32_t{-1})).build()}}),
  };
}

}  // namespace braid::test
