#include "format/tensor_file.h"

#include "base/check.h"
#include "format/test_files.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace braid {
namespace {

using Shape = std::vector<int64_t>;

using test::FakeFile;

TEST(TensorFile, BytesOfAShape) {
  EXPECT_EQ(checked_bytes(DType::F32, Shape{}), 4u);
  EXPECT_EQ(checked_bytes(DType::F32, Shape{3, 5}), 60u);
  EXPECT_EQ(checked_bytes(DType::Q4_K, Shape{2, 3, 512}), 2u * 3 * 2 * 144);
  EXPECT_EQ(checked_bytes(DType::F32, Shape{3, 0}), 0u);
  EXPECT_EQ(checked_bytes(DType::Q8_0, Shape{3, 0}), 0u);
}

TEST(TensorFile, ImpossibleShapesHaveNoBytes) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  EXPECT_FALSE(checked_bytes(DType::F32, Shape{-1, 5}));
  EXPECT_FALSE(checked_bytes(DType::F32, Shape{5, -1}));
  EXPECT_FALSE(checked_bytes(DType::Q8_0, Shape{33}));
  EXPECT_FALSE(checked_bytes(DType::F32, Shape{kHuge}));
  EXPECT_FALSE(checked_bytes(DType::I8, Shape{kHuge, 2}));
  EXPECT_TRUE(checked_bytes(DType::I8, Shape{kHuge}));
  EXPECT_FALSE(checked_bytes(DType::IQ1_S, Shape{1 << 30, 1 << 25, 256}));  // 2^63, but few bytes
  EXPECT_FALSE(checked_bytes(DType::I8, Shape{kHuge, 4, 0}));               // rows() overflows
}

TEST(TensorFile, RowsColumnsElements) {
  EXPECT_EQ((FileTensor{.name = {}, .shape = {2, 3, 5}}.rows()), 6);
  EXPECT_EQ((FileTensor{.name = {}, .shape = {2, 3, 5}}.columns()), 5);
  EXPECT_EQ((FileTensor{.name = {}, .shape = {2, 3, 5}}.elements()), 30);
  EXPECT_EQ((FileTensor{.name = {}, .shape = {7}}.rows()), 1);
  EXPECT_EQ((FileTensor{}.elements()), 1);
  EXPECT_EQ(shape_text(Shape{4096, 2048}), "[4096, 2048]");
  EXPECT_EQ(shape_text(Shape{}), "[]");
}

TEST(TensorFile, TensorsMayTouchButNotOverlap) {
  const std::string data(100, 'x');
  const auto bytes = test::bytes_of(data);
  const auto tensor = [&](const char* name, size_t begin, size_t size) {
    return FileTensor{.name = name, .shape = {1}, .bytes = bytes.subspan(begin, size), .path = "p"};
  };
  EXPECT_NO_THROW(FakeFile({tensor("b", 50, 50), tensor("a", 0, 50)}));
  EXPECT_NO_THROW(FakeFile({tensor("b", 50, 0), tensor("a", 0, 100)}));
  EXPECT_EQ(test::error_of([&] {
              FakeFile({tensor("b", 49, 50), tensor("a", 0, 50)});
            }),
            "p: tensors a and b overlap: the second begins 1 bytes before the first one ends; the "
            "file is damaged, download it again");
  EXPECT_EQ(test::error_of([&] {
              FakeFile({tensor("a", 0, 1), tensor("a", 1, 1)});
            }),
            "p: two tensors are named a: the file is damaged, download it again");
}

}  // namespace
}  // namespace braid
