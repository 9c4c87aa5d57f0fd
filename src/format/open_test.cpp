#include "format/open.h"

#include "format/json_config.h"
#include "format/metadata.h"
#include "format/test_files.h"

#include <gtest/gtest.h>

#include <string>

namespace braid {
namespace {

using namespace test;

// What is refused, and with which words, stands in tests/data/bad_files.md.
TEST(OpenModelFile, AGgufIsKnownByItsContent) {
  const TemporaryFolder folder;
  const std::string file = RawGguf().key("general.name", 8, gguf_string("x")).build();
  const auto model = open_model_file(folder.write("no-extension", file));
  ASSERT_NE(model->metadata(), nullptr);
  EXPECT_EQ(model->metadata()->string("general.name"), "x");
}

TEST(OpenModelFile, SafetensorsByContentAndByFolder) {
  const TemporaryFolder folder;
  const std::string file =
      raw_safetensors(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  EXPECT_NE(open_model_file(folder.write("blob", file))->find("w"), nullptr);
  folder.write("model.safetensors", file);
  folder.write("config.json", R"({"model_type":"qwen3_next"})");
  const auto model = open_model_file(folder.path());
  EXPECT_NE(model->find("w"), nullptr);
  ASSERT_NE(model->config(), nullptr);
  EXPECT_EQ(model->config()->string("model_type"), "qwen3_next");
}

}  // namespace
}  // namespace braid
