#include "format/gguf_writer.h"

#include "format/gguf.h"
#include "format/test_files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <vector>

namespace braid {
namespace {

using namespace test;

template <class T>
std::span<const T> list(const std::vector<T>& values) {
  return values;
}

void write_every_kind(GgufWriter& out) {
  out.add("general.architecture", "qwen3next");
  out.add("u8", uint8_t{255});
  out.add("i8", int8_t{-128});
  out.add("u16", uint16_t{65535});
  out.add("i16", int16_t{-32768});
  out.add("u32", uint32_t{4294967295u});
  out.add("i32", int32_t{-2147483647});
  out.add("u64", uint64_t{1} << 62);
  out.add("i64", -(int64_t{1} << 62));
  out.add("f32", 0.25f);
  out.add("f64", 0.1);
  out.add("bool", true);
  out.add_array("u8s", list<uint8_t>({1, 2}));
  out.add_array("i8s", list<int8_t>({-1, 2}));
  out.add_array("u16s", list<uint16_t>({1, 65535}));
  out.add_array("i16s", list<int16_t>({-1, 2}));
  out.add_array("u32s", list<uint32_t>({1, 2}));
  out.add_array("i32s", list<int32_t>({11, 11, 10, 0}));
  out.add_array("u64s", list<uint64_t>({1, 2}));
  out.add_array("i64s", list<int64_t>({-1, 2}));
  out.add_array("f32s", list<float>({0.5f}));
  out.add_array("f64s", list<double>({}));
  const bool flags[] = {true, false, true};
  out.add_array("bools", std::span<const bool>(flags));
  out.add_array("strings", list<std::string_view>({"", "one", "zwei \xc3\xbc"}));
}

TEST(GgufWriter, EveryKindOfMetadataComesBack) {
  const TemporaryFolder folder;
  const std::string path = folder / "m.gguf";
  GgufWriter out(path);
  write_every_kind(out);
  out.finish();
  const auto model = GgufFile::open(path);
  std::string text;
  for (const MetaEntry& entry : model->metadata()->entries()) {
    text += fmt::format("{}: {} {}\n", entry.key, entry.type_text(), entry.text());
  }
  EXPECT_EQ(text, R"(general.architecture: string "qwen3next"
u8: u8 255
i8: i8 -128
u16: u16 65535
i16: i16 -32768
u32: u32 4294967295
i32: i32 -2147483647
u64: u64 4611686018427387904
i64: i64 -4611686018427387904
f32: f32 0.25
f64: f64 0.1
bool: bool true
u8s: array of 2 u8 [1, 2]
i8s: array of 2 i8 [-1, 2]
u16s: array of 2 u16 [1, 65535]
i16s: array of 2 i16 [-1, 2]
u32s: array of 2 u32 [1, 2]
i32s: array of 4 i32 [11, 11, 10, 0]
u64s: array of 2 u64 [1, 2]
i64s: array of 2 i64 [-1, 2]
f32s: array of 1 f32 [0.5]
f64s: array of 0 f64 []
bools: array of 3 bool [true, false, true]
strings: array of 3 string ["", "one", "zwei )"
                  "\xc3\xbc\"]\n");
}

TEST(GgufWriter, TensorsOfEveryTypeComeBackWhateverThePieces) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, size_t{3} << 20}) {
    const TemporaryFolder folder;
    const std::string path = folder / "m.gguf";
    GgufWriter out(path, 64);
    std::string all;
    std::vector<std::string> parts;
    for (const DTypeInfo& type : all_dtypes()) {
      out.add_tensor(type.name, type.type, {3, 2 * type.block});
      std::string& part = parts.emplace_back(static_cast<size_t>(6 * type.block_bytes), '\0');
      for (size_t i = 0; i < part.size(); ++i) part[i] = static_cast<char>(i + parts.size());
      all += part;
    }
    if (piece > 1000) {  // larger than the writer's buffer
      out.add_tensor("large", DType::I8, {2, 1 << 20});
      all += parts.emplace_back(size_t{2} << 20, 'L');
    }
    for (size_t i = 0; i < all.size(); i += piece)
      out.write(bytes_of(all).subspan(i).first(std::min(piece, all.size() - i)));
    out.finish();
    const auto model = GgufFile::open(path);
    EXPECT_EQ(model->metadata()->integer("general.alignment"), 64);
    ASSERT_EQ(model->tensors().size(), parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(text_of(model->tensors()[i].bytes), parts[i]) << model->tensors()[i].name;
    }
    EXPECT_EQ(model->get("Q4_K").shape, (std::vector<int64_t>{3, 512}));
    EXPECT_EQ(folder.files(), 1u);
  }
}

TEST(GgufWriter, CopiesTheMetadataOfAModel) {
  const TemporaryFolder folder;
  GgufWriter first(folder / "a.gguf", 128);
  write_every_kind(first);
  first.add("split.count", uint16_t{1});
  first.finish();
  const auto a = GgufFile::open(folder / "a.gguf");
  GgufWriter second(folder / "b.gguf");
  second.add_all(*a->metadata());
  second.finish();
  const auto b = GgufFile::open(folder / "b.gguf");
  EXPECT_FALSE(b->metadata()->has("general.alignment"));
  EXPECT_FALSE(b->metadata()->has("split.count"));
  for (const MetaEntry& entry : b->metadata()->entries()) {
    const MetaEntry& original = *a->metadata()->find(entry.key);
    EXPECT_EQ(entry.type_text(), original.type_text());
    EXPECT_EQ(entry.text(10000), original.text(10000));
  }
  EXPECT_EQ(b->metadata()->entries().size() + 2, a->metadata()->entries().size());
}

TEST(GgufWriter, AnUnfinishedFileLeavesNothingAndTheOldOneStays) {
  const TemporaryFolder folder;
  const std::string path = folder.write("m.gguf", "old");
  {
    GgufWriter out(path);
    out.add_tensor("t", DType::F32, {4});
    out.write(bytes_of("12345678"));
    EXPECT_EQ(folder.files(), 2u);
  }
  EXPECT_EQ(folder.files(), 1u);
  EXPECT_EQ(std::filesystem::file_size(path), 3u);
  GgufWriter incomplete(path);
  incomplete.add_tensor("t", DType::F32, {4});
  incomplete.write(bytes_of("12345678"));
  EXPECT_THROW(incomplete.finish(), InternalError);
}

TEST(GgufWriter, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  // A limit on the size of files stands in for the disk.
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit limit { 1 << 16, before.rlim_max };
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string path = folder / "m.gguf";
  const std::string error = error_of([&] {
    GgufWriter out(path);
    out.add_tensor("t", DType::I8, {1 << 20});
    out.write(bytes_of(std::string(1 << 20, 'x')));
    out.finish();
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(error, path + ": cannot write: File too large");
  EXPECT_EQ(folder.files(), 0u);
}

TEST(GgufWriter, RefusesWhatTheReaderWouldRefuse) {
  const TemporaryFolder folder;
  const std::string path = folder / "m.gguf";
  GgufWriter out(path);
  EXPECT_EQ(error_of([&] {
              out.add_tensor("t", DType::Q4_K, {2, 100});
            }),
            path +
                ": tensor t: shape [2, 100] of Q4_K cannot be written, expected 1 to 4 dimensions "
                "above 0 and rows of a multiple of 256");
  EXPECT_THROW(out.add_tensor("t", DType::F32, {}), Error);
  EXPECT_THROW(out.add_tensor("t", DType::F32, {1, 1, 1, 1, 1}), Error);
  EXPECT_THROW(out.add_tensor("t", DType::F32, {2, 0}), Error);
  EXPECT_THROW(out.add_tensor(std::string(64, 'n'), DType::F32, {1}), Error);
  EXPECT_EQ(error_of([&] { out.add("a\nb", 1.0f); }),
            path +
                ": the key \"a\\x0ab\" of 3 bytes cannot be written, expected plain text of at "
                "most 65535 bytes");
  out.add("twice", 1);
  out.add("twice", 2);
  EXPECT_EQ(error_of([&] { out.finish(); }), path + ": key twice was given twice");
  GgufWriter tensors(path);
  tensors.add_tensor("t", DType::F32, {1});
  tensors.add_tensor("t", DType::F32, {1});
  EXPECT_EQ(error_of([&] { tensors.write(bytes_of("1234")); }),
            path + ": tensor t was given twice");
  EXPECT_EQ(error_of([&] { GgufWriter(folder / "absent/m.gguf"); }),
            (folder / "absent/m.gguf") + ": cannot create: No such file or directory");
}

}  // namespace
}  // namespace braid
