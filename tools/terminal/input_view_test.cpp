#include "tools/terminal/input_view.h"

#include "tools/terminal/display_text.h"

#include <gtest/gtest.h>

#include <random>

namespace braid {
namespace {

// As much of a terminal as the view uses. Rows that left the screen at the top are kept.
class Screen {
 public:
  Screen(int columns, int rows) : columns_(columns), rows_(rows), lines_(1) {}

  void take(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      if (bytes[at] == '\x1B') {
        at = escape(bytes, at);
      } else if (bytes[at] == '\r') {
        column_ = 0;
        ++at;
      } else if (bytes[at] == '\n') {
        down();
        ++at;
      } else {
        const Cluster cluster = cluster_at(bytes, at);
        if (column_ + cluster.columns > columns_) {
          column_ = 0;
          down();
        }
        put(bytes.substr(at, cluster.bytes), cluster.columns);
        at += cluster.bytes;
      }
    }
  }

  // All rows, the cursor as |, without trailing spaces.
  std::string shown() const {
    std::string out;
    for (size_t i = 0; i < lines_.size(); ++i) {
      std::string line;
      for (int c = 0; c <= columns_; ++c) {
        if (i == row_ && c == column_) line += '|';
        if (c < static_cast<int>(lines_[i].size())) line += lines_[i][static_cast<size_t>(c)];
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    while (out.ends_with("\n\n")) out.pop_back();
    return out;
  }

  // As terminals do that break long rows anew.
  void narrow(int columns) {
    std::vector<std::vector<std::string>> fresh;
    size_t row = 0;
    int column = 0;
    for (size_t i = 0; i < lines_.size(); ++i) {
      auto line = lines_[i];
      while (!line.empty() && (line.back() == " " || line.back().empty())) line.pop_back();
      const size_t first = fresh.size();
      do {
        const size_t n = std::min(line.size(), static_cast<size_t>(columns));
        fresh.emplace_back(line.begin(), line.begin() + static_cast<long>(n));
        line.erase(line.begin(), line.begin() + static_cast<long>(n));
      } while (!line.empty());
      if (i == row_) {
        row = first + static_cast<size_t>(column_ / columns);
        column = column_ % columns;
      }
    }
    lines_ = std::move(fresh);
    columns_ = columns;
    row_ = row;
    column_ = column;
    if (row_ >= lines_.size()) lines_.resize(row_ + 1);
  }

 private:
  size_t top() const {
    return lines_.size() > static_cast<size_t>(rows_) ? lines_.size() - static_cast<size_t>(rows_)
                                                      : 0;
  }
  void down() {
    if (++row_ == lines_.size()) lines_.emplace_back();
  }
  void put(const std::string& cluster, int columns) {
    auto& line = lines_[row_];
    line.resize(std::max(line.size(), static_cast<size_t>(column_ + columns)), " ");
    line[static_cast<size_t>(column_)] = cluster;
    for (int i = 1; i < columns; ++i) line[static_cast<size_t>(column_ + i)] = "";
    column_ += columns;
  }
  size_t escape(const std::string& bytes, size_t at) {
    EXPECT_EQ(bytes.at(at + 1), '[');
    size_t end = at + 2;
    while (bytes.at(end) < 0x40) ++end;
    const int n = end > at + 2 ? std::atoi(bytes.c_str() + at + 2) : 0;
    switch (bytes[end]) {
      case 'A':
        EXPECT_LE(top() + static_cast<size_t>(n), row_) << "above the screen";
        row_ = std::max(top(), row_ - static_cast<size_t>(n));
        break;
      case 'C':
        column_ = std::min(columns_ - 1, column_ + n);
        break;
      case 'H':
        row_ = top();
        column_ = 0;
        break;
      case 'J':
        EXPECT_TRUE(row_ > top() || column_ > 0) << "tmux takes this for a cleared screen";
        lines_.resize(row_ + 1);
        lines_[row_].resize(std::min(lines_[row_].size(), static_cast<size_t>(column_)));
        break;
      case 'K':
        lines_[row_].resize(std::min(lines_[row_].size(), static_cast<size_t>(column_)));
        break;
      case 'm':
        break;
      default:
        ADD_FAILURE() << "unknown sequence " << bytes.substr(at, end - at + 1);
    }
    return end + 1;
  }

  int columns_, rows_;
  std::vector<std::vector<std::string>> lines_;  // a cluster per cell, "" behind a wide one
  size_t row_ = 0;
  int column_ = 0;
};

InputText input(std::string_view text, size_t cursor) { return {"> ", ". ", text, cursor}; }
InputText input(std::string_view text) { return input(text, text.size()); }

std::vector<std::string> rows(std::string_view text, int columns) {
  std::vector<std::string> out;
  for (const Row& row : lay_out(input(text), columns).rows) {
    EXPECT_LE(row.columns, columns);
    EXPECT_EQ(row.columns, columns_of(row.text));
    out.push_back(row.text);
  }
  return out;
}
using Rows = std::vector<std::string>;

TEST(InputView, BreaksRowsAtTheEdge) {
  EXPECT_EQ(rows("", 10), Rows{"> "});
  EXPECT_EQ(rows("abcdefg", 10), Rows{"> abcdefg"});
  EXPECT_EQ(rows("abcdefgh", 10), (Rows{"> abcdefgh", ""}));  // the cursor needs a place
  EXPECT_EQ(rows("abcdefghi\nx", 10), (Rows{"> abcdefgh", "i", ". x"}));
  EXPECT_EQ(rows("abcdefg\u6F22", 10), (Rows{"> abcdefg", "\u6F22"}));  // two columns do not fit
  EXPECT_EQ(rows("a\tb\x1B", 12), Rows{"> a b^["});
}

TEST(InputView, FindsTheCursor) {
  const Layout at_wide = lay_out(input("abcdefg\u6F22", 7), 10);
  EXPECT_EQ(at_wide.cursor_row, 1u) << "where the character will be drawn";
  EXPECT_EQ(at_wide.cursor_column, 0);
  const Layout line = lay_out(input("ab\ncd", 2), 10);
  EXPECT_EQ(line.cursor_row, 0u);
  EXPECT_EQ(line.cursor_column, 4);
  const Layout full = lay_out(input("abcdefgh\nx", 8), 10);
  EXPECT_EQ(full.cursor_row, 1u);
  EXPECT_EQ(full.rows.size(), 3u);
}

TEST(InputView, DrawsOverWhatItDrew) {
  Screen screen(10, 6);
  InputView view(true);
  view.resize(10, 6);
  screen.take("before\r\n");
  screen.take(view.draw(input("hello"), ""));
  EXPECT_EQ(screen.shown(), "before\n> hello|\n");
  screen.take(view.draw(input("hello world", 3), "a note"));
  EXPECT_EQ(screen.shown(), "before\n> hel|lo wo\nrld\na note\n");
  screen.take(view.draw(input("x\ny", 0), ""));
  EXPECT_EQ(screen.shown(), "before\n> |x\n. y\n");
  screen.take(view.finish(input("x\ny")));
  EXPECT_EQ(screen.shown(), "before\n> x\n. y\n|\n");
  Screen empty(10, 6);
  empty.take(view.draw(input("x"), ""));
  empty.take(view.draw(input(""), ""));
  EXPECT_EQ(empty.shown(), "> |\n");
}

TEST(InputView, ShowsThePartAroundTheCursor) {
  Screen screen(30, 4);
  InputView view(false);
  view.resize(30, 4);
  std::string text;
  for (int i = 0; i < 9; ++i) text += std::to_string(i) + "\n";
  screen.take(view.draw(input(text), ""));
  EXPECT_EQ(screen.shown(), ". 6\n. 7\n. 8\n. |\n");
  screen.take(view.draw(input(text, 2), ""));
  EXPECT_EQ(screen.shown(), ". |1\n. 2\n. 3\n. 4\n");
  screen.take(view.draw(input(text, 0), "note"));
  EXPECT_EQ(screen.shown(), "> |0\n. 1\n. 2\nnote\n");
  screen.take(view.finish(input(text)));
  EXPECT_EQ(screen.shown(), "> 0\n. 1\n. 2\n    ... 4 more lines ...\n. 7\n. 8\n.\n|\n");
}

TEST(InputView, FollowsANarrowerTerminal) {
  Screen screen(20, 12);
  InputView view(false);
  view.resize(20, 12);
  screen.take("before\r\n");
  const InputText text = input("one two three four five\nsix seven eight nine", 40);
  screen.take(view.draw(text, ""));
  for (const int columns : {15, 9, 7}) {
    screen.narrow(columns);
    view.resize(columns, 12);
    screen.take(view.draw(text, ""));
    Screen fresh(columns, 12);
    InputView other(false);
    other.resize(columns, 12);
    fresh.take("before\r\n" + other.draw(text, ""));
    EXPECT_EQ(screen.shown(), fresh.shown()) << columns;
  }
}

// Any text after any other looks as if it were the first one; what stood above stays.
TEST(InputView, DrawingForgetsNothingAndLeavesNothing) {
  std::mt19937 random(11);
  const std::vector<std::string> pieces = {"a",  "bc ",  "\n",         "\u6F22",     "e\u0301",
                                           "\t", "\x01", "\U0001F600", "longer word"};
  for (const int columns : {4, 7, 20}) {
    InputView view(false);
    view.resize(columns, 8);
    Screen screen(columns, 8);
    screen.take("top\r\n");
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (size_t n = random() % 9; n > 0; --n) text += pieces[random() % pieces.size()];
      size_t cursor = 0;
      for (size_t n = random() % 9; n > 0; --n) cursor = next_boundary(text, cursor);
      const std::string note = random() % 4 == 0 ? "note \u6F22" : "";
      if (lay_out(input(text, cursor), columns).rows.size() + (note.empty() ? 0 : 1) > 7) continue;
      screen.take(view.draw(input(text, cursor), note));
      Screen fresh(columns, 8);
      InputView other(false);
      other.resize(columns, 8);
      fresh.take("top\r\n" + other.draw(input(text, cursor), note));
      ASSERT_EQ(screen.shown(), fresh.shown()) << testing::PrintToString(text);
    }
  }
}

}  // namespace
}  // namespace braid
