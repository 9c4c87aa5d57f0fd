#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "text/unicode.h"

namespace braid {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

std::string decode(std::string_view bytes) {
  StreamDecoder decoder;
  std::string out;
  decoder.feed(bytes, out);
  decoder.finish(out);
  return out;
}

// Whether some character begins with these bytes: tried with every ending.
bool begins_character(const std::string& bytes) {
  static std::map<std::string, bool> known;
  if (const auto found = known.find(bytes); found != known.end()) return found->second;
  bool& answer = known[bytes];
  for (int first = 0x80; first < 0xC0; ++first) {
    for (const std::string& rest : {std::string(), std::string("\x80"), std::string("\x80\x80")}) {
      const std::string whole = bytes + static_cast<char>(first) + rest;
      if (utf8_length(whole, 0) == whole.size()) return answer = true;
    }
  }
  return answer;
}

// The whole text at once, by utf8_length and the definition of a maximal subpart.
std::string decode_whole(const std::string& bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    if (const size_t length = utf8_length(bytes, at)) {
      out += bytes.substr(at, length);
      at += length;
      continue;
    }
    size_t subpart = std::min<size_t>(3, bytes.size() - at);
    while (subpart > 1 && !begins_character(bytes.substr(at, subpart))) --subpart;
    out += kReplacement;
    at += subpart;
  }
  return out;
}

// Bytes at which UTF-8 turns, so that broken and whole characters are both common.
std::string random_bytes(std::mt19937& random) {
  static constexpr unsigned char kEdges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                             0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED,
                                             0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  std::string bytes(random() % 24, 0);
  for (char& byte : bytes) {
    byte = static_cast<char>(random() % 4 ? kEdges[random() % std::size(kEdges)] : random() % 256);
  }
  return bytes;
}

TEST(StreamDecoder, HoweverTheBytesAreCut) {
  std::mt19937 random(31);
  for (int round = 0; round < 20000; ++round) {
    const std::string bytes = random_bytes(random);
    const std::string expected = decode_whole(bytes);
    StreamDecoder decoder;
    std::string out;
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = std::min<size_t>(random() % 5, bytes.size() - at);
      decoder.feed(std::string_view(bytes).substr(at, length), out);
      at += length;
      ASSERT_EQ(find_broken_utf8(out), std::string::npos);
      ASSERT_LE(decoder.held_bytes(), 3u);
      // What is out is final, and nothing waits that is certain already.
      ASSERT_TRUE(expected.starts_with(out));
      ASSERT_EQ(out + (decoder.held_bytes() ? kReplacement : ""),
                decode_whole(bytes.substr(0, at)));
    }
    decoder.finish(out);
    ASSERT_EQ(out, expected);
    ASSERT_EQ(decoder.held_bytes(), 0u);
  }
}

TEST(StreamDecoder, AsPythonDecodes) {
  std::ifstream file(std::string(BRAID_TEST_DATA) + "/sample/vectors.json");
  const nlohmann::json vectors = nlohmann::json::parse(file);
  ASSERT_GT(vectors.at("decodes").size(), 100u);
  for (const auto& item : vectors.at("decodes")) {
    const auto hex = item.at("bytes").get<std::string>();
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    EXPECT_EQ(decode(bytes), item.at("text").get<std::string>()) << hex;
  }
}

TEST(StreamDecoder, WholeTextPassesUnchanged) {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80" + kReplacement;
  EXPECT_EQ(decode(text), text);
}

TEST(StreamDecoder, AnotherTextAfterTheEnd) {
  StreamDecoder decoder;
  std::string out;
  decoder.feed("\xF0\x9F", out);
  EXPECT_EQ(out, "");
  EXPECT_EQ(decoder.held_bytes(), 2u);
  decoder.finish(out);
  decoder.finish(out);
  decoder.feed("\x98z", out);
  EXPECT_EQ(out, kReplacement + kReplacement + "z");
}

}  // namespace
}  // namespace braid
