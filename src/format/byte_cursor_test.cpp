#include "format/byte_cursor.h"

#include "format/test_files.h"

#include <gtest/gtest.h>

#include <string>

namespace braid {
namespace {

using namespace test;

TEST(ByteCursor, ReadsToTheLastByteAndNoFurther) {
  const std::string bytes = le(uint32_t{7}) + gguf_string("abc") + "xy";
  ByteCursor in("f", bytes_of(bytes));
  EXPECT_EQ(in.number<uint32_t>("number"), 7u);
  EXPECT_EQ(in.string("word"), "abc");
  in.set_subject("key k");
  EXPECT_EQ(
      error_of([&] { in.take(3, "tail"); }),
      "f: key k: tail needs 3 bytes and 2 are left: the file is cut short, download it again");
  EXPECT_EQ(in.left(), 2u);
  EXPECT_EQ(text_of(in.take(2, "tail")), "xy");
  EXPECT_EQ(in.left(), 0u);
  EXPECT_EQ(in.position(), bytes.size());
  EXPECT_NO_THROW(in.take(0, "nothing"));
  EXPECT_THROW(in.take(1, "more"), Error);
  EXPECT_THROW(in.take(UINT64_MAX, "more"), Error);
}

TEST(ByteCursor, CountsAreComparedWithTheBytesLeft) {
  const std::string bytes(16, 'x');
  const ByteCursor in("f", bytes_of(bytes));
  EXPECT_NO_THROW(in.expect(2, 8, "things"));
  EXPECT_NO_THROW(in.expect(5, 3, "things"));
  EXPECT_EQ(error_of([&] { in.expect(6, 3, "things"); }),
            "f: header: 6 things, but the 16 bytes left hold at most 5: the file is cut short or "
            "damaged, download it again");
  EXPECT_THROW(in.expect(UINT64_MAX / 8 + 2, 8, "things"), Error);  // the product would wrap
}

}  // namespace
}  // namespace braid
