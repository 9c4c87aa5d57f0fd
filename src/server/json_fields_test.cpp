#include "server/json_fields.h"

#include "server/api_error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;

// The error's field and message.
template <class Run>
std::pair<std::string, std::string> refused(Run run) {
  try {
    run();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.body().status, 400);
    return {error.body().param, error.body().message};
  }
  ADD_FAILURE() << "not refused";
  return {};
}

TEST(ParseBody, TakesJsonAndKeepsTheOrderOfKeys) {
  EXPECT_EQ(parse_body(R"( {"b": [1, 2.5], "a": "\u00e4"} )").dump(), R"({"b":[1,2.5],"a":"ä"})");
}

TEST(ParseBody, RefusesWhatIsNoneOrTooMuch) {
  const auto message = [](const std::string& body) {
    return refused([&] { parse_body(body); }).second;
  };
  EXPECT_EQ(message(""), "the request has no body: send a JSON object");
  EXPECT_EQ(message(R"({"a": 1)"), "the body is not valid JSON: byte 8 of 7");
  EXPECT_EQ(message("{\"a\": \"\xff\"}"), "the body is not valid JSON: byte 8 of 10");
  EXPECT_EQ(message(R"({"a": "\ud800"})"), "the body is not valid JSON: byte 14 of 15");
  EXPECT_EQ(message(R"({"a": 1e999})"), "the body holds a number that is out of range");
  EXPECT_EQ(message(R"({"a": 1, "b": {"a": 2}, "a": 3})"), "the field \"a\" is there twice");
  EXPECT_EQ(message(std::string(65, '[') + std::string(65, ']')),
            "the JSON is nested more than 64 levels deep");
  EXPECT_NO_THROW(parse_body(std::string(64, '[') + std::string(64, ']')));
  std::string keys = "{";
  for (int i = 0; i < 1025; ++i) keys += fmt::format("{}\"{}\": 0", i ? "," : "", i);
  EXPECT_EQ(message(keys + "}"), "an object of the JSON has more than 1024 fields");
  std::string values = "[0";
  for (int i = 0; i < 2'000'000; ++i) values += ",0";
  EXPECT_EQ(message(values + "]"), "the JSON holds more than 2000000 values");
  std::string empty = "[{}";
  for (int i = 0; i < 1'000'000; ++i) empty += ",[],{}";
  EXPECT_EQ(message(empty + "]"), "the JSON holds more than 2000000 values");
}

TEST(FieldsTest, ReadsValuesAndTakesNullForMissing) {
  const Json json = {{"t", "text"}, {"b", true},    {"i", -7},        {"f", 5.0},
                     {"x", 0.5},    {"n", nullptr}, {"u", UINT64_MAX}};
  Fields fields(json);
  EXPECT_EQ(fields.text("t"), "text");
  EXPECT_EQ(fields.boolean("b"), true);
  EXPECT_EQ(fields.integer("i"), -7);
  EXPECT_EQ(fields.integer("f"), 5);
  EXPECT_EQ(fields.number("x"), 0.5);
  EXPECT_EQ(fields.number("i"), -7.0);
  EXPECT_EQ(fields.text("n"), std::nullopt);
  EXPECT_EQ(fields.boolean("none"), std::nullopt);
  EXPECT_EQ(refused([&] { fields.integer("u"); }).second,
            "u should be an integer, not an integer (18446744073709551615)");
  EXPECT_NO_THROW(fields.finish());
}

TEST(FieldsTest, SaysWhatWasExpectedAndWhere) {
  const Json json = {{"a", 1.5}, {"b", "yes"}, {"c", Json::array({1, 2})}, {"d", Json::object()}};
  Fields fields(json, "outer[2]");
  using Error = std::pair<std::string, std::string>;
  EXPECT_EQ(refused([&] { fields.text("a"); }),
            Error("outer[2].a", "outer[2].a should be a text, not a number (1.5)"));
  EXPECT_EQ(refused([&] { fields.integer("a"); }),
            Error("outer[2].a", "outer[2].a should be an integer, not a number (1.5)"));
  EXPECT_EQ(refused([&] { fields.boolean("b"); }),
            Error("outer[2].b", "outer[2].b should be true or false, not a text (\"yes\")"));
  EXPECT_EQ(refused([&] { fields.number("c"); }),
            Error("outer[2].c", "outer[2].c should be a number, not a list of 2"));
  EXPECT_EQ(refused([&] { fields.text("d"); }),
            Error("outer[2].d", "outer[2].d should be a text, not an object"));
  EXPECT_EQ(refused([&] { Fields inner(json["a"], "outer[2].a"); }),
            Error("outer[2].a", "outer[2].a should be an object, not a number (1.5)"));
  EXPECT_EQ(refused([&] { Fields body(json["c"]); }),
            Error("", "the body should be an object, not a list of 2"));
}

TEST(FieldsTest, HoldsRanges) {
  const Json json = {{"i", 11}, {"x", -0.25}};
  Fields fields(json);
  EXPECT_EQ(fields.integer("i", 0, 11), 11);
  EXPECT_EQ(refused([&] { fields.integer("i", 0, 10); }).second,
            "i is 11; it must be from 0 to 10");
  EXPECT_EQ(refused([&] { fields.integer("i", 12, 20); }).second,
            "i is 11; it must be from 12 to 20");
  EXPECT_EQ(refused([&] { fields.number("x", 0, 1); }).second,
            "x is -0.25; it must be from 0 to 1");
}

TEST(FieldsTest, RefusesWhatNobodyAskedFor) {
  const Json json = {{"known", 1}, {"user", "me"}, {"surprise", 0}};
  Fields fields(json, "part");
  fields.integer("known");
  fields.pass_over("user");
  EXPECT_EQ(refused([&] { fields.finish(); }).first, "part.surprise");
  fields.only("surprise", 0, "nothing else is there");
  EXPECT_NO_THROW(fields.finish());
  EXPECT_EQ(refused([&] { fields.only("surprise", false, "nothing else is there"); }).second,
            "part.surprise: only false is supported: nothing else is there");
}

}  // namespace
}  // namespace braid
