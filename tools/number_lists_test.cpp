#include "tools/number_lists.h"

#include "format/test_files.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

using Numbers = std::vector<int64_t>;

TEST(NumberLists, ValuesAndRanges) {
  EXPECT_EQ(parse_numbers("512", {}), Numbers{512});
  EXPECT_EQ(parse_numbers("1,0,7", {}), (Numbers{1, 0, 7}));
  EXPECT_EQ(parse_numbers("1-4", {}), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(parse_numbers("1-8+3", {}), (Numbers{1, 4, 7}));
  EXPECT_EQ(parse_numbers("128-1024*2,5", {}), (Numbers{128, 256, 512, 1024, 5}));
  EXPECT_EQ(parse_numbers("3-3", {}), Numbers{3});
}

TEST(NumberLists, Pairs) {
  EXPECT_EQ(parse_pairs("512,128", {}), (std::vector<NumberPair>{{512, 128}}));
  EXPECT_EQ(parse_pairs("1,2;3,4", {}), (std::vector<NumberPair>{{1, 2}, {3, 4}}));
}

TEST(NumberLists, WhatIsWrongIsNamed) {
  const auto error = [](const char* text, NumberRange range = {}) {
    return test::error_of([&] { parse_numbers(text, range); });
  };
  EXPECT_EQ(error("1,x"), "\"x\" is no whole number");
  EXPECT_EQ(error("1,,2"), "\"\" is no whole number");
  EXPECT_EQ(error("5.5"), "\"5.5\" is no whole number");
  EXPECT_EQ(error("0", {1, 9}), "0 is not between 1 and 9");
  EXPECT_EQ(error("1-10", {1, 9}), "10 is not between 1 and 9");
  EXPECT_EQ(error("-3"), "-3 is not between 0 and 1073741824");
  EXPECT_EQ(error("9-1"), "\"9-1\": the first is larger than the last");
  EXPECT_EQ(error("1-9+0"), "0 is not between 1 and 1073741824");
  EXPECT_EQ(error("1-9*1"), "1 is not between 2 and 1073741824");
  EXPECT_EQ(error("0-9*2"), "\"0-9*2\": 0 does not grow");
  EXPECT_EQ(error("0-100000"), "\"0-100000\": more than 1000 values");
  EXPECT_EQ(error("99999999999999999999"), "\"99999999999999999999\" is no whole number");
  EXPECT_EQ(test::error_of([] { parse_pairs("512", {}); }),
            "\"512\" is no pair of numbers such as 512,128");
  EXPECT_EQ(test::error_of([] { parse_pairs("1,2,3", {}); }),
            "\"1,2,3\" is no pair of numbers such as 512,128");
}

}  // namespace
}  // namespace braid
