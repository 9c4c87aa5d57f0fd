#include "tools/terminal/line_editor.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

using enum EditOutcome;

// An editor to which bytes are typed; what it shows has a | where the cursor is.
class Editing : public testing::Test {
 protected:
  EditOutcome type(const std::string& bytes) {
    std::vector<Key> keys;
    decoder_.feed(bytes, keys);
    decoder_.flush(keys);
    EditOutcome last = kGoOn;
    for (const Key& key : keys) last = editor_.handle(key);
    return last;
  }
  std::string shown() const {
    std::string text = editor_.text();
    return text.insert(editor_.cursor(), "|");
  }
  // Starts anew with a text whose cursor is at the |, types, and shows.
  std::string after(const std::string& text, const std::string& bytes) {
    const size_t cursor = text.find('|');
    editor_.start(text.substr(0, cursor) + text.substr(cursor + 1));
    while (editor_.cursor() > cursor) type("\x02");
    EXPECT_EQ(shown(), text);
    type(bytes);
    return shown();
  }

  History history_;
  LineEditor editor_{
      history_, [](std::string_view before) {
        std::vector<std::string> words;
        for (const char* word : {"/clear", "/save", "/set", "temp"})
          if (std::string_view(word).starts_with(before.substr(before.find_last_of(' ') + 1)))
            words.emplace_back(word);
        return words;
      }};
  KeyDecoder decoder_;
};

const std::string kUp = "\x1B[A", kDown = "\x1B[B", kLeft = "\x1B[D";

TEST_F(Editing, InsertsAndMoves) {
  EXPECT_EQ(after("|", "abc\x02x"), "abx|c");
  EXPECT_EQ(after("ab|c", "\x01x"), "x|abc");
  EXPECT_EQ(after("a|bc", "\x05x"), "abcx|");
  EXPECT_EQ(after("a\nb|c\nd", "\x01"), "a\n|bc\nd");
  EXPECT_EQ(after("a\n|bc\nd", "\x05"), "a\nbc|\nd");
  EXPECT_EQ(after("a|\u00E9", "\x06"), "a\u00E9|");
  // An accent and a family are moved over and deleted as one.
  EXPECT_EQ(after("e\u0301|", "\x02"), "|e\u0301");
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";
  EXPECT_EQ(after("a" + family + "|b", "\x7F"), "a|b");
  EXPECT_EQ(after("a|" + family + "b", "\x1B[3~"), "a|b");
}

TEST_F(Editing, MovesByWords) {
  EXPECT_EQ(after("one two-th\u00E9\u00E9|",
                  "\x1B"
                  "b"),
            "one two-|th\u00E9\u00E9");
  EXPECT_EQ(after("one  two|",
                  "\x1B"
                  "b\x1B"
                  "b"),
            "|one  two");
  EXPECT_EQ(after("|one, two",
                  "\x1B"
                  "f"),
            "one|, two");
  EXPECT_EQ(after("one|, two", "\x1B[1;5C"), "one, two|");
}

TEST_F(Editing, KillsAndYanks) {
  EXPECT_EQ(after("one |two\nx", "\x0B"), "one |\nx");
  EXPECT_EQ(after("one |two\nx", "\x0B\x0B\x0B\x19"), "one two\nx|");
  EXPECT_EQ(after("a\none |two", "\x15"), "a\n|two");
  EXPECT_EQ(after("a\none |two", "\x15\x15\x05\x19"), "atwo\none |");
  EXPECT_EQ(after("git commit-all |x", "\x17"), "git |x");
  EXPECT_EQ(after("git commit-all|x", "\x1B\x7F"), "git commit-|x");
  EXPECT_EQ(after("|git commit",
                  "\x1B"
                  "d\x1B"
                  "d\x19"),
            "git commit|");
  EXPECT_EQ(after("a b|", "\x17\x02\x17\x19"), "a| ") << "a movement begins another kill";
}

TEST_F(Editing, Transposes) {
  EXPECT_EQ(after("ab|", "\x14"), "ba|");
  EXPECT_EQ(after("a|b\u6F22", "\x14\x14"),
            "b\u6F22"
            "a|");
  EXPECT_EQ(after("|ab", "\x14"), "|ab");
  EXPECT_EQ(after("a\nb|", "\x14"), "a\nb|");
}

TEST_F(Editing, EnterSendsAndOtherKeysBeginALine) {
  editor_.start();
  EXPECT_EQ(type("one\x1B\rtwo\nthree"), kGoOn);
  EXPECT_EQ(shown(), "one\ntwo\nthree|");
  EXPECT_EQ(type("\x01\r"), kSend);
  editor_.start();
  EXPECT_EQ(type("a\\\r"), kGoOn);
  EXPECT_EQ(shown(), "a\n|");
  EXPECT_EQ(type("b\r"), kSend);
  editor_.set_enter_sends(false);
  editor_.start();
  EXPECT_EQ(type("a\rb"), kGoOn);
  EXPECT_EQ(shown(), "a\nb|");
  EXPECT_EQ(type("\n"), kSend);
}

TEST_F(Editing, ABlockGoesOnUntilItsQuotes) {
  editor_.start();
  EXPECT_EQ(type("\"\"\"a\rb\\\r"), kGoOn);
  EXPECT_EQ(shown(), "\"\"\"a\nb\\\n|");
  EXPECT_EQ(type("\"\"\"\r"), kSend);
  EXPECT_EQ(finished_message(editor_.text()), "a\nb\\");
  EXPECT_EQ(finished_message("\"\"\"\none\n\ntwo\n\"\"\" "), "one\n\ntwo");
  EXPECT_EQ(finished_message("say \"\"\""), "say \"\"\"");
  EXPECT_EQ(finished_message("\"\"\"open"), "\"\"\"open");
  EXPECT_TRUE(needs_more("\"\"\""));
  EXPECT_FALSE(needs_more("\"\"\"\"\"\""));
}

TEST_F(Editing, APasteArrivesWhole) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "line\r";
  editor_.start();
  EXPECT_EQ(type("<\x1B[200~" + text + "\x1B[201~>"), kGoOn);
  EXPECT_EQ(editor_.text().size(), 2u + 500 * 5);
  EXPECT_EQ(std::count(editor_.text().begin(), editor_.text().end(), '\n'), 500);
}

TEST_F(Editing, UpAndDownMoveBetweenLinesAndThenInTheHistory) {
  history_.add("first");
  history_.add("second\nhas two");
  editor_.start();
  type("draft\nmore" + kUp);
  EXPECT_EQ(shown(), "draf|t\nmore");
  type(kUp);
  EXPECT_EQ(shown(), "second\nhas two|");
  type(kUp);
  EXPECT_EQ(shown(), "second|\nhas two");
  type(kUp);
  EXPECT_EQ(shown(), "first|");
  EXPECT_EQ(type(kUp), kBell);
  type(kDown + kDown);
  EXPECT_EQ(shown(), "draft\nmore|");
  EXPECT_EQ(type(kDown), kBell);
  // Columns count, not bytes; a wide character is not cut.
  EXPECT_EQ(after("\u6F22\u5B57x\nabc|", kUp), "\u6F22|\u5B57x\nabc");
  EXPECT_EQ(after("abc|\nx\nabc", kDown + kDown), "abc\nx\na|bc");
}

TEST_F(Editing, SearchesBack) {
  for (const char* entry : {"apple pie", "banana", "grape"}) history_.add(entry);
  editor_.start("draft");
  type(
      "\x12"
      "ap");
  EXPECT_EQ(shown(), "gr|ape");
  EXPECT_EQ(editor_.note(), "search back: ap");
  type("\x12");
  EXPECT_EQ(shown(), "|apple pie");
  type("\x12");
  EXPECT_EQ(shown(), "|apple pie");
  EXPECT_EQ(editor_.note(), "not found, search back: ap");
  type(
      "\x7F\x7F"
      "ban");
  EXPECT_EQ(shown(), "|banana");
  type(kUp);  // ends the search and is itself
  EXPECT_FALSE(editor_.searching());
  EXPECT_EQ(shown(), "apple pie|");
  type(kDown + kDown + kDown);
  EXPECT_EQ(shown(), "draft|");
  type(
      "\x12"
      "grape\x07");
  EXPECT_EQ(shown(), "draft|");
  type(
      "\x12"
      "grape");
  EXPECT_EQ(type("\r"), kSend);
  EXPECT_EQ(editor_.text(), "grape");
  editor_.start();
  EXPECT_EQ(type("\x12\x03"), kGoOn);
  EXPECT_EQ(type("\x03"), kInterrupt);
}

TEST_F(Editing, SearchingNothingFindsNothing) {
  editor_.start("draft");
  type(
      "\x12\x12"
      "x");
  EXPECT_EQ(editor_.note(), "not found, search back: x");
  EXPECT_EQ(shown(), "draft|");
}

TEST_F(Editing, CompletesCommands) {
  editor_.start();
  type("/c\t");
  EXPECT_EQ(shown(), "/clear |");
  editor_.start();
  type("/\t");
  EXPECT_EQ(shown(), "/|");
  EXPECT_EQ(editor_.note(), "/clear  /save  /set");
  type("s");
  EXPECT_EQ(editor_.note(), "");
  type("e\tt\t");
  EXPECT_EQ(shown(), "/set temp |");
  editor_.start();
  EXPECT_EQ(type("/x\t"), kBell);
  type("\x15\t");
  EXPECT_EQ(shown(), "\t|") << "in a message it is a tab";
}

TEST_F(Editing, TellsWhatIsNotEditing) {
  editor_.start();
  EXPECT_EQ(type("\x04"), kEnd);
  EXPECT_EQ(type("\x03"), kInterrupt);
  EXPECT_EQ(type("\x1A"), kSuspend);
  EXPECT_EQ(type("\x0C"), kClearScreen);
  EXPECT_EQ(type("\x7F"), kBell);
  EXPECT_EQ(type("\x19"), kBell);
  EXPECT_EQ(after("|ab", "\x04"), "|b");
  EXPECT_EQ(after("ab|", "\x04"), "ab|");
}

}  // namespace
}  // namespace braid
