#include "format/json_config.h"

#include "format/json.h"
#include "format/test_files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace braid {
namespace {

using test::error_of;

const std::string kRemedy = ": download the file that belongs to the model";

class JsonConfigTest : public testing::Test {
 protected:
  const JsonConfig config_{"config.json", parse_json("config.json", R"({
    "model_type": "qwen3_5", "tie_word_embeddings": false, "rms_norm_eps": 1e-06, "nothing": null,
    "text_config": {"hidden_size": 64, "rope_parameters": {"rope_theta": 10000000},
                    "layer_types": ["linear_attention", "full_attention"],
                    "mrope_section": [11, 11, 10]}})")};
};

TEST_F(JsonConfigTest, ValuesByPath) {
  EXPECT_EQ(config_.string("model_type"), "qwen3_5");
  EXPECT_FALSE(config_.boolean("tie_word_embeddings"));
  EXPECT_EQ(config_.number("rms_norm_eps"), 1e-6);
  EXPECT_EQ(config_.integer("text_config.hidden_size"), 64);
  EXPECT_EQ(config_.number("text_config.rope_parameters.rope_theta"), 1e7);
  EXPECT_EQ(config_.integers("text_config.mrope_section"), (std::vector<int64_t>{11, 11, 10}));
  EXPECT_EQ(config_.strings("text_config.layer_types"),
            (std::vector<std::string>{"linear_attention", "full_attention"}));
}

TEST_F(JsonConfigTest, MissingKeysAndNull) {
  EXPECT_TRUE(config_.has("text_config.rope_parameters"));
  EXPECT_FALSE(config_.has("nothing"));
  EXPECT_FALSE(config_.has("model_type.x"));
  EXPECT_EQ(config_.integer_or("absent", 3), 3);
  EXPECT_EQ(config_.integer_or("nothing", 3), 3);
  EXPECT_EQ(config_.number_or("text_config.absent", 0.5), 0.5);
  EXPECT_TRUE(config_.boolean_or("absent", true));
  EXPECT_EQ(config_.string_or("absent", "x"), "x");
  EXPECT_EQ(config_.string_or("model_type", "x"), "qwen3_5");
  EXPECT_EQ(error_of([&] { config_.integer("text_config.absent"); }),
            "config.json: key text_config.absent is missing" + kRemedy);
}

TEST_F(JsonConfigTest, WrongKindsAndRanges) {
  EXPECT_EQ(error_of([&] { config_.integer("rms_norm_eps"); }),
            "config.json: key rms_norm_eps is 1e-06, expected an integer" + kRemedy);
  EXPECT_EQ(error_of([&] { config_.integer_or("model_type", 1); }),
            "config.json: key model_type is \"qwen3_5\", expected an integer" + kRemedy);
  EXPECT_EQ(error_of([&] { config_.integer("text_config.hidden_size", 128, 256); }),
            "config.json: key text_config.hidden_size is 64, expected 128 to 256" + kRemedy);
  EXPECT_EQ(error_of([&] { config_.boolean("rms_norm_eps"); }),
            "config.json: key rms_norm_eps is 1e-06, expected true or false" + kRemedy);
  EXPECT_EQ(error_of([&] { config_.number("model_type"); }),
            "config.json: key model_type is \"qwen3_5\", expected a number" + kRemedy);
  EXPECT_EQ(error_of([&] { config_.string("rms_norm_eps"); }),
            "config.json: key rms_norm_eps is 1e-06, expected a string" + kRemedy);
  EXPECT_EQ(
      error_of([&] { config_.integers("text_config.layer_types"); }),
      "config.json: key text_config.layer_types is [\"linear_attention\",\"full_attention\"], "
      "expected integers" +
          kRemedy);
  EXPECT_EQ(error_of([&] { config_.strings("text_config.mrope_section"); }),
            "config.json: key text_config.mrope_section is [11,11,10], expected strings" + kRemedy);
  EXPECT_EQ(error_of([&] { config_.strings("model_type"); }),
            "config.json: key model_type is \"qwen3_5\", expected an array" + kRemedy);
  EXPECT_EQ(error_of([] { JsonConfig("c.json", parse_json("c.json", "[1]")); }),
            "c.json: [1], expected a JSON object" + kRemedy);
}

TEST(Json, ErrorsNameThePlaceAndNeverQuoteWithoutBound) {
  EXPECT_EQ(error_of([] { parse_json("f", "{\n  \"a\": 1,\n  oops\n}"); }),
            "f: not valid JSON at line 3, column 3: the file is cut short or damaged, download it "
            "again");
  EXPECT_EQ(error_of([] { parse_json("f", ""); }),
            "f: not valid JSON at line 1, column 1: the file is cut short or damaged, download it "
            "again");
  EXPECT_EQ(error_of([] { parse_json("f", "[1e999]"); }),
            "f: JSON with a number that is out of range: the file is damaged, download it again");
  EXPECT_EQ(error_of([] { parse_json("f", R"({"a":{"b":1,"b":2}})"); }),
            "f: JSON key \"b\" is there twice: the file is damaged, download it again");
  EXPECT_NO_THROW(parse_json("f", R"({"a":{"b":1},"b":{"b":2}})"));
  EXPECT_EQ(error_of([] { parse_json("f", std::string(1000000, '[')); }),
            "f: JSON nested more than 64 levels deep: the file is damaged, download it again");
  EXPECT_EQ(
      error_of([] { parse_json("f", std::string(kMaxJsonBytes + 1, ' ')); }),
      "f: 100000001 bytes of JSON, at most 100000000 are read: the file is not what its name says");
}

}  // namespace
}  // namespace braid
