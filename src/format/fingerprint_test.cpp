#include "format/fingerprint.h"

#include "format/tensor_file.h"
#include "format/test_files.h"

#include <cstring>
#include <set>

namespace braid {
namespace {

using test::FakeFile;

TEST(Fingerprint, TellsModelsApart) {
  std::vector<std::byte> values(4000), changed(4000);
  changed[1400] = std::byte{1};
  std::set<std::string> seen;
  const auto of = [](const std::string& name, DType type, std::vector<int64_t> shape,
                     const std::vector<std::byte>& bytes) {
    return fingerprint(FakeFile({{name, type, std::move(shape), bytes, "fake"}}));
  };
  seen.insert(of("a", DType::F32, {10, 100}, values));
  seen.insert(of("b", DType::F32, {10, 100}, values));
  seen.insert(of("a", DType::I32, {10, 100}, values));
  seen.insert(of("a", DType::F32, {100, 10}, values));
  seen.insert(of("a", DType::F32, {10, 100}, changed));
  changed[1400] = std::byte{0};
  changed[3999] = std::byte{1};
  seen.insert(of("a", DType::F32, {10, 100}, changed));
  EXPECT_EQ(seen.size(), 6u);
  EXPECT_EQ(seen.count(of("a", DType::F32, {10, 100}, values)), 1u);
  EXPECT_EQ(of("a", DType::F32, {10, 100}, values).size(), 32u);
  EXPECT_EQ(of("a", DType::F32, {0}, {}).size(), 32u);
}

}  // namespace
}  // namespace braid
