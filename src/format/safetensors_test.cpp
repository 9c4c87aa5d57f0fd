#include "format/safetensors.h"

#include "format/test_files.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace braid {
namespace {

using namespace test;

constexpr std::string_view kTwo = R"({"__metadata__":{"format":"pt"},)"
                                  R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                  R"("a":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]}}   )";

std::string one_tensor(std::string_view name) {
  return raw_safetensors(
      fmt::format(R"({{"{}":{{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}}})", name), 8);
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  const std::string file = raw_safetensors(kTwo, 20);
  const auto model = SafetensorsFolder::parse("m.safetensors", bytes_of(file));
  ASSERT_EQ(model->tensors().size(), 2u);
  EXPECT_EQ(model->tensors()[0].name, "b");
  const FileTensor& a = model->get("a");
  EXPECT_EQ(a.dtype, DType::BF16);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.bytes.size(), 12u);
  EXPECT_EQ(a.bytes.data(), bytes_of(file).data() + file.size() - 12);
  EXPECT_EQ(a.path, "m.safetensors");
  EXPECT_EQ(model->config(), nullptr);
  EXPECT_EQ(model->metadata(), nullptr);
}

TEST(Safetensors, ReadsEveryTypeThatItNames) {
  for (const DType type : {DType::F32, DType::F16, DType::BF16, DType::F64, DType::I8, DType::I16,
                           DType::I32, DType::I64}) {
    const std::string header =
        fmt::format(R"({{"t":{{"dtype":"{}","shape":[3],"data_offsets":[0,{}]}}}})",
                    info(type).name, row_bytes(type, 3));
    const std::string file = raw_safetensors(header, row_bytes(type, 3));
    EXPECT_EQ(SafetensorsFolder::parse("m", bytes_of(file))->get("t").dtype, type);
  }
}

TEST(Safetensors, ScalarsEmptyTensorsAndGapsAreFine) {
  const std::string file =
      raw_safetensors(R"({"scalar":{"dtype":"F32","shape":[],"data_offsets":[4,8]},)"
                      R"("empty":{"dtype":"F32","shape":[0,7],"data_offsets":[6,6]}})",
                      12);
  const auto model = SafetensorsFolder::parse("m", bytes_of(file));
  EXPECT_EQ(model->get("scalar").elements(), 1);
  EXPECT_EQ(model->get("scalar").bytes.size(), 4u);
  EXPECT_EQ(model->get("empty").elements(), 0);
  EXPECT_TRUE(model->get("empty").bytes.empty());
}

TEST(Safetensors, EveryCutOfAFileIsAnError) {
  const std::string file = raw_safetensors(kTwo, 20);
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_THROW(SafetensorsFolder::parse("cut", bytes_of(cut)), Error) << size;
  }
}

TEST(Safetensors, AFolderWithOneFile) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", one_tensor("w"));
  folder.write("config.json", R"({"model_type":"qwen3_next"})");
  const auto model = SafetensorsFolder::open(folder.path());
  EXPECT_EQ(model->tensors().size(), 1u);
  EXPECT_EQ(model->config()->string("model_type"), "qwen3_next");
  EXPECT_EQ(model->folder(), folder.path());
  // The file alone finds the same config.json.
  const auto alone = SafetensorsFolder::open(folder / "model.safetensors");
  EXPECT_EQ(alone->config()->string("model_type"), "qwen3_next");
  EXPECT_EQ(alone->folder(), folder.path());
}

TEST(Safetensors, AFileAloneNeedsNoConfig) {
  const TemporaryFolder folder;
  const auto model = SafetensorsFolder::open(folder.write("x.safetensors", one_tensor("w")));
  EXPECT_EQ(model->config(), nullptr);
  EXPECT_EQ(text_of(model->get("w").bytes), std::string(8, '\x3c'));
}

TEST(Safetensors, AShardedFolderIsOpenedByItsPathOrByAShard) {
  const TemporaryFolder folder;
  const std::string first = folder.write("model-00001-of-00002.safetensors", one_tensor("a"));
  folder.write("model-00002-of-00002.safetensors", one_tensor("b"));
  folder.write("config.json", "{}");
  folder.write("model.safetensors.index.json", R"({"metadata":{"total_size":16},"weight_map":{)"
                                               R"("a":"model-00001-of-00002.safetensors",)"
                                               R"("b":"model-00002-of-00002.safetensors"}})");
  for (const std::string& path : {folder.path(), first}) {
    const auto model = SafetensorsFolder::open(path);
    EXPECT_EQ(model->path(), path);
    EXPECT_EQ(model->tensors().size(), 2u);
    EXPECT_EQ(model->files().size(), 2u);
    EXPECT_EQ(model->get("b").path, folder / "model-00002-of-00002.safetensors");
    EXPECT_NE(model->config(), nullptr);
  }
}

}  // namespace
}  // namespace braid
