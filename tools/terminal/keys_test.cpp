#include "tools/terminal/keys.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

using enum KeyCode;

std::vector<Key> keys_of(const std::string& bytes, bool flush = false) {
  KeyDecoder decoder;
  std::vector<Key> keys;
  decoder.feed(bytes, keys);
  if (flush) decoder.flush(keys);
  return keys;
}

Key key(KeyCode code, std::string text = "") { return {code, std::move(text)}; }

struct Case {
  std::string bytes;
  std::vector<Key> keys;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"a\u00E9\u6F22\U0001F600",
       {key(kText, "a"), key(kText, "\u00E9"), key(kText, "\u6F22"), key(kText, "\U0001F600")}},
      {"\x01\x02\x03\x04\x05\x06\x07",
       {key(kHome), key(kLeft), key(kInterrupt), key(kDeleteOrEnd), key(kEnd), key(kRight),
        key(kCancel)}},
      {"\b\x7F\t\n\r", {key(kBackspace), key(kBackspace), key(kTab), key(kNewline), key(kEnter)}},
      {"\x0B\x0C\x0E\x10\x12\x14",
       {key(kKillToEnd), key(kClearScreen), key(kDown), key(kUp), key(kSearch), key(kTranspose)}},
      {"\x15\x17\x19\x1A", {key(kKillToStart), key(kKillBlock), key(kYank), key(kSuspend)}},
      {"\x1B[A\x1B[B\x1B[C\x1B[D\x1B[H\x1B[F",
       {key(kUp), key(kDown), key(kRight), key(kLeft), key(kHome), key(kEnd)}},
      {"\x1BOA\x1BOH", {key(kUp), key(kHome)}},
      {"\x1B[1~\x1B[4~\x1B[7~\x1B[8~\x1B[3~\x1B[3;5~",
       {key(kHome), key(kEnd), key(kHome), key(kEnd), key(kDelete), key(kKillWordForward)}},
      {"\x1B[1;5D\x1B[1;3C\x1B[1;2C\x1B\x1B[D",
       {key(kWordLeft), key(kWordRight), key(kRight), key(kWordLeft)}},
      {"\x1B"
       "b\x1B"
       "f\x1B"
       "d\x1B\x7F",
       {key(kWordLeft), key(kWordRight), key(kKillWordForward), key(kKillWordBack)}},
      {"\x1B\r\x1B\n\x1B[13;2u\x1B[27;2;13~",
       {key(kNewline), key(kNewline), key(kNewline), key(kNewline)}},
      {"\x1B[200~one\r\ntwo\rthree\x1B[31m\x1B[201~x",
       {key(kPaste, "one\ntwo\nthree\x1B[31m"), key(kText, "x")}},
      {"\x1B[200~\x1B[201~", {key(kPaste)}},
      // Unknown keys, F5 and a mouse's report among them, type nothing.
      {"\x1B[15~\x1B[<0;10;20M\x1B[99999999999999;1X\x1Bz\x1B\u00E9\x1C!", {key(kText, "!")}},
      {"\xFF\xC3(", {key(kText, "(")}},
  };
  return kCases;
}

TEST(Keys, AreWhatTerminalsSend) {
  for (const Case& c : cases())
    EXPECT_EQ(keys_of(c.bytes), c.keys) << testing::PrintToString(c.bytes);
}

TEST(Keys, CutsMakeNoDifference) {
  for (const Case& c : cases()) {
    KeyDecoder decoder;
    std::vector<Key> keys;
    for (const char byte : c.bytes) decoder.feed(std::string_view(&byte, 1), keys);
    EXPECT_EQ(keys, c.keys) << testing::PrintToString(c.bytes);
  }
}

TEST(Keys, ALoneEscapeNeedsTime) {
  EXPECT_EQ(keys_of("\x1B"), std::vector<Key>{});
  EXPECT_EQ(keys_of("\x1B", true), std::vector{key(kCancel)});
  EXPECT_EQ(keys_of("\x1B[1", true), std::vector<Key>{});
  EXPECT_EQ(keys_of("\x1B[200~a", true), std::vector<Key>{});
  KeyDecoder decoder;
  std::vector<Key> keys;
  decoder.feed("\x1B", keys);
  EXPECT_TRUE(decoder.pending());
  decoder.flush(keys);
  EXPECT_FALSE(decoder.pending());
  decoder.feed("[A", keys);
  EXPECT_EQ(keys.back(), key(kText, "A"));
}

TEST(Keys, ALongPasteIsOneKey) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "line " + std::to_string(i) + "\n";
  KeyDecoder decoder;
  std::vector<Key> keys;
  const std::string bytes = "\x1B[200~" + text + "\x1B[201~\r";
  for (size_t at = 0; at < bytes.size(); at += 7) decoder.feed(bytes.substr(at, 7), keys);
  EXPECT_EQ(keys, (std::vector{key(kPaste, text), key(kEnter)}));
}

}  // namespace
}  // namespace braid
