// The message being edited, drawn at the bottom of what a terminal shows.
//
// lay_out() breaks the text into rows of the terminal's width; InputView makes the bytes that turn
// what it drew last into what should be seen now. A message taller than the screen shows the part
// around the cursor. Nothing is written here: the caller sends the bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct Row {
  std::string text;  // fit to be sent
  int columns = 0;
};

struct Layout {
  std::vector<Row> rows;  // at least one
  size_t cursor_row = 0;
  int cursor_column = 0;
};

struct InputText {
  std::string_view prompt, more;  // before the first line and before each further one
  std::string_view text;
  size_t cursor = 0;
};
Layout lay_out(const InputText& input, int columns);

class InputView {
 public:
  // `styled`: the terminal may be told to draw dimly.
  explicit InputView(bool styled) : styled_(styled) {}

  // The size for what is drawn from now on. Terminals that became narrower have broken the rows
  // that they showed into several; that is taken into account.
  void resize(int columns, int rows);
  int columns() const { return columns_; }

  // Shows the text with a note below it, or the text as it is sent, the cursor on a new line below.
  std::string draw(const InputText& input, std::string_view note);
  std::string finish(const InputText& input);
  // A fresh screen, and what was drawn before is gone.
  std::string clear_screen();
  // Something else was written since, and a new line begun.
  void forget();

 private:
  std::string back_to_start() const;
  std::string dim(std::string_view text) const;

  bool styled_;
  int columns_ = 80, rows_ = 24;
  size_t top_ = 0;          // the first row shown
  std::vector<int> drawn_;  // columns of each row on the screen
  size_t cursor_row_ = 0;   // of those, with the cursor at this column
  int cursor_column_ = 0;
};

}  // namespace braid
