#include "format/metadata.h"

#include "format/gguf.h"
#include "format/test_files.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace braid {
namespace {

using namespace test;

const std::string kRemedy = ": convert the model again with a current converter";

class MetadataTest : public testing::Test {
 protected:
  void SetUp() override {
    RawGguf raw;
    raw.key("u8", 0, le(uint8_t{200})).key("i8", 1, le(int8_t{-100}));
    raw.key("u16", 2, le(uint16_t{60000})).key("i16", 3, le(int16_t{-30000}));
    raw.key("u32", 4, le(uint32_t{4000000000u})).key("i32", 5, le(int32_t{-2000000000}));
    raw.key("f32", 6, le(1.5f)).key("yes", 7, "\1").key("no", 7, std::string(1, '\0'));
    raw.key("text", 8, gguf_string("a \"b\"\n")).key("u64", 10, le(uint64_t{1} << 40));
    raw.key("i64", 11, le(-(int64_t{1} << 40))).key("f64", 12, le(0.1)).key("big", 10, le(~0ull));
    raw.array("ints", 5, 3, le(int32_t{1}) + le(int32_t{-2}) + le(int32_t{3}));
    raw.array("flags", 7, 2, std::string("\0\1", 2)).array("floats", 6, 2, le(0.5f) + le(-2.0f));
    raw.array("words", 8, 3, gguf_string("") + gguf_string("one") + gguf_string("two"));
    raw.array("none", 4, 0, "").array("bigs", 10, 1, le(~0ull));
    file_ = raw.build();
    model_ = GgufFile::parse("m.gguf", bytes_of(file_));
    meta_ = model_->metadata();
  }

  std::string file_;
  std::unique_ptr<GgufFile> model_;
  const Metadata* meta_ = nullptr;
};

TEST_F(MetadataTest, SingleValuesOfEveryType) {
  EXPECT_EQ(meta_->integer("u8"), 200);
  EXPECT_EQ(meta_->integer("i8"), -100);
  EXPECT_EQ(meta_->integer("u16"), 60000);
  EXPECT_EQ(meta_->integer("i16"), -30000);
  EXPECT_EQ(meta_->integer("u32"), 4000000000);
  EXPECT_EQ(meta_->integer("i32"), -2000000000);
  EXPECT_EQ(meta_->integer("u64"), int64_t{1} << 40);
  EXPECT_EQ(meta_->integer("i64"), -(int64_t{1} << 40));
  EXPECT_EQ(meta_->number("f32"), 1.5);
  EXPECT_EQ(meta_->number("f64"), 0.1);
  EXPECT_EQ(meta_->number("i8"), -100.0);
  EXPECT_TRUE(meta_->boolean("yes"));
  EXPECT_FALSE(meta_->boolean("no"));
  EXPECT_EQ(meta_->string("text"), "a \"b\"\n");
}

TEST_F(MetadataTest, Arrays) {
  EXPECT_EQ(meta_->integers("ints"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(meta_->integers("flags"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(meta_->numbers("floats"), (std::vector<float>{0.5f, -2.0f}));
  EXPECT_EQ(meta_->numbers("ints"), (std::vector<float>{1, -2, 3}));
  const auto words = meta_->strings("words");
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[2], "two");
  // The strings stay in the file.
  EXPECT_GE(words[2].data(), file_.data());
  EXPECT_LT(words[2].data(), file_.data() + file_.size());
  EXPECT_TRUE(meta_->integers("none").empty());
}

TEST_F(MetadataTest, PerLayerValuesComeFromAnArrayOrFromOneValue) {
  EXPECT_EQ(meta_->integers_per_layer("ints", 3), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(meta_->integers_per_layer("u8", 2), (std::vector<int64_t>{200, 200}));
  EXPECT_EQ(error_of([&] { meta_->integers_per_layer("ints", 4); }),
            "m.gguf: key ints has 3 elements, expected one for each of the 4 layers" + kRemedy);
}

TEST_F(MetadataTest, AMissingKeyIsAnErrorOrTheOtherValue) {
  EXPECT_EQ(error_of([&] { meta_->integer("absent"); }), "m.gguf: key absent is missing" + kRemedy);
  EXPECT_EQ(meta_->integer_or("absent", 7), 7);
  EXPECT_EQ(meta_->integer_or("u8", 7), 200);
  EXPECT_EQ(meta_->number_or("absent", 0.5), 0.5);
  EXPECT_TRUE(meta_->boolean_or("absent", true));
  EXPECT_EQ(meta_->string_or("absent", "x"), "x");
}

TEST_F(MetadataTest, AValueOfAnotherKindIsAnError) {
  EXPECT_EQ(error_of([&] { meta_->integer("f32"); }),
            "m.gguf: key f32 is f32 = 1.5, expected an integer" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->integer_or("text", 1); }),
            "m.gguf: key text is string = \"a \"b\"\\x0a\", expected an integer" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->integer("yes"); }),
            "m.gguf: key yes is bool = true, expected an integer" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->integer("ints"); }),
            "m.gguf: key ints is array of 3 i32 = [1, -2, 3], expected a single value" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->integers("u8"); }),
            "m.gguf: key u8 is u8 = 200, expected an array" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->integers("floats"); }),
            "m.gguf: key floats is array of 2 f32 = [0.5, -2], expected integers" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->number("text"); }),
            "m.gguf: key text is string = \"a \"b\"\\x0a\", expected a number" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->boolean("u8"); }),
            "m.gguf: key u8 is u8 = 200, expected a bool" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->string("no"); }),
            "m.gguf: key no is bool = false, expected a string" + kRemedy);
  EXPECT_EQ(error_of([&] { meta_->strings("flags"); }),
            "m.gguf: key flags is array of 2 bool = [false, true], expected strings" + kRemedy);
}

TEST_F(MetadataTest, ValuesOutOfRangeAreErrors) {
  EXPECT_EQ(meta_->integer("u8", 200, 200), 200);
  EXPECT_EQ(error_of([&] { meta_->integer("u8", 1, 199); }),
            "m.gguf: key u8 is 200, expected 1 to 199" + kRemedy);
  EXPECT_EQ(
      error_of([&] { meta_->integer("big"); }),
      "m.gguf: key big holds 18446744073709551615, which does not fit into 63 bits" + kRemedy);
  EXPECT_EQ(
      error_of([&] { meta_->integers("bigs"); }),
      "m.gguf: key bigs holds 18446744073709551615, which does not fit into 63 bits" + kRemedy);
}

TEST_F(MetadataTest, TextForAPersonIsShort) {
  EXPECT_EQ(meta_->entries().size(), 20u);
  EXPECT_EQ(meta_->find("words")->text(), "[\"\", \"one\", \"two\"]");
  EXPECT_EQ(meta_->find("words")->type_text(), "array of 3 string");
  EXPECT_EQ(meta_->find("ints")->text(6), "[1, -2, ... 3 in all]");
  EXPECT_EQ(meta_->find("none")->text(), "[]");
  EXPECT_EQ(meta_->find("f64")->text(), "0.1");
  EXPECT_EQ(meta_->find("big")->text(), "18446744073709551615");
}

TEST(Metadata, AVocabularyOf248000StringsIsReadWithoutCopies) {
  constexpr uint64_t kTokens = 248320;
  std::string elements;
  for (uint64_t i = 0; i < kTokens; ++i) elements += gguf_string(fmt::format("token{}", i));
  RawGguf raw;
  raw.array("tokenizer.ggml.tokens", 8, kTokens, elements);
  const std::string file = raw.build();
  const auto model = GgufFile::parse("m.gguf", bytes_of(file));
  const auto tokens = model->metadata()->strings("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.size(), kTokens);
  EXPECT_EQ(tokens[kTokens - 1], "token248319");
}

}  // namespace
}  // namespace braid
