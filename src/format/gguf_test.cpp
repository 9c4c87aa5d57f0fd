#include "format/gguf.h"

#include "format/gguf_part.h"
#include "format/test_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace braid {
namespace {

using namespace test;

// One part of a split model with one f32 tensor of four weights.
std::string part(uint16_t number, uint16_t count, int32_t tensors, std::string_view tensor_name) {
  RawGguf raw;
  if (number == 0) raw.key("general.architecture", 8, gguf_string("qwen3next"));
  raw.key("split.no", 2, le(number)).key("split.count", 2, le(count));
  raw.key("split.tensors.count", 5, le(tensors));
  raw.tensor(tensor_name, {4}, 0, 0);
  raw.data = std::string(16, static_cast<char>('a' + number));
  return raw.build();
}

TEST(Gguf, ReadsTensorsWithTheirShapesReversed) {
  RawGguf raw;
  raw.tensor("matrix", {64, 3}, 8, 64)
      .tensor("vector", {5}, 0, 0)
      .tensor("cube", {2, 3, 4}, 1, 288);
  raw.data = std::string(64, 'v') + std::string(3 * 68 + 20, 'm') + std::string(48, 'c');
  const std::string file = raw.build();
  const auto model = GgufFile::parse("m.gguf", bytes_of(file));
  ASSERT_EQ(model->tensors().size(), 3u);
  const FileTensor& matrix = model->get("matrix");
  EXPECT_EQ(matrix.shape, (std::vector<int64_t>{3, 64}));
  EXPECT_EQ(matrix.dtype, DType::Q8_0);
  EXPECT_EQ(matrix.rows(), 3);
  EXPECT_EQ(matrix.columns(), 64);
  EXPECT_EQ(text_of(matrix.bytes), std::string(204, 'm'));
  EXPECT_EQ(text_of(model->get("vector").bytes), std::string(20, 'v'));
  EXPECT_EQ(model->get("cube").shape, (std::vector<int64_t>{4, 3, 2}));
  EXPECT_EQ(text_of(model->get("cube").bytes), std::string(48, 'c'));
  EXPECT_EQ(model->find("absent"), nullptr);
  EXPECT_EQ(error_of([&] { model->get("absent"); }),
            "m.gguf: no tensor named absent among its 3 tensors");
}

TEST(Gguf, ReadsEveryTypeOfTheList) {
  for (const DTypeInfo& type : all_dtypes()) {
    RawGguf raw;
    const size_t size = static_cast<size_t>(2 * 3 * type.block_bytes);
    raw.tensor("t", {2 * type.block, 3}, type.gguf_id, 0);
    raw.data = std::string(size, 'x');
    const std::string file = raw.build();
    const auto model = GgufFile::parse(std::string(type.name), bytes_of(file));
    EXPECT_EQ(model->get("t").dtype, type.type) << type.name;
    EXPECT_EQ(model->get("t").bytes.size(), size) << type.name;
  }
}

TEST(Gguf, ReadsVersion2AndOtherAlignments) {
  for (const size_t alignment : {size_t{1}, size_t{8}, size_t{4096}}) {
    RawGguf raw;
    raw.version = 2;
    raw.alignment = alignment;
    raw.key("general.alignment", 4, le(static_cast<uint32_t>(alignment)));
    raw.tensor("t", {2}, 0, alignment);
    raw.data = std::string(alignment, '.') + "12345678";
    const std::string file = raw.build();
    const auto model = GgufFile::parse("m.gguf", bytes_of(file));
    EXPECT_EQ(text_of(model->get("t").bytes), "12345678");
  }
}

TEST(Gguf, AFileWithoutTensorsNeedsNoPadding) {
  RawGguf raw;
  raw.alignment = 1;
  raw.key("general.name", 8, gguf_string("x"));
  const std::string file = raw.build();
  const auto model = GgufFile::parse("m.gguf", bytes_of(file));
  EXPECT_TRUE(model->tensors().empty());
  EXPECT_EQ(model->metadata()->string("general.name"), "x");
  EXPECT_EQ(model->config(), nullptr);
}

TEST(Gguf, AnyPartOfASplitModelOpensAll) {
  const TemporaryFolder folder;
  folder.write("m-00001-of-00003.gguf", part(0, 3, 3, "a"));
  folder.write("m-00002-of-00003.gguf", part(1, 3, 3, "b"));
  folder.write("m-00003-of-00003.gguf", part(2, 3, 3, "c"));
  for (const char* name : {"m-00001-of-00003.gguf", "m-00003-of-00003.gguf"}) {
    const auto model = GgufFile::open(folder / name);
    ASSERT_EQ(model->tensors().size(), 3u);
    EXPECT_EQ(model->files().size(), 3u);
    EXPECT_EQ(model->path(), folder / name);
    EXPECT_EQ(model->metadata()->string("general.architecture"), "qwen3next");
    EXPECT_EQ(text_of(model->get("c").bytes), std::string(16, 'c'));
    EXPECT_EQ(model->get("b").path, folder / "m-00002-of-00003.gguf");
  }
}

// A prefix of a file never reads beyond itself and never passes for the whole.
TEST(Gguf, EveryCutOfAFileIsAnError) {
  RawGguf raw;
  raw.key("general.name", 8, gguf_string("cut me")).array("list", 5, 2, le(int64_t{7}));
  raw.array("words", 8, 2, gguf_string("one") + gguf_string("two"));
  raw.tensor("t", {32, 2}, 8, 0).tensor("u", {3}, 0, 96);
  raw.data = std::string(108, 'x');
  const std::string file = raw.build();
  EXPECT_NO_THROW(GgufFile::parse("whole.gguf", bytes_of(file)));
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_THROW(GgufFile::parse("cut.gguf", bytes_of(cut)), Error) << size;
  }
}

TEST(Gguf, AnnouncedCountsAllocateNothing) {
  RawGguf raw;
  raw.announced_tensors = UINT64_MAX;
  EXPECT_THROW(GgufFile::parse("m.gguf", bytes_of(raw.build())), Error);
  raw.announced_tensors = 0;
  for (const int32_t type : {0, 5, 8, 12}) {
    RawGguf array;
    array.array("a", type, 1ull << 61, "12345678");
    EXPECT_THROW(GgufFile::parse("m.gguf", bytes_of(array.build())), Error) << type;
  }
}

}  // namespace
}  // namespace braid
