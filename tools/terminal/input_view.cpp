#include "tools/terminal/input_view.h"

#include "tools/terminal/display_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

constexpr int kTab = 4;
constexpr size_t kShownAtEnds = 3;  // rows of a message too tall to be shown whole

// As much of the text as fits, with nothing that would move the cursor.
std::string cut(std::string_view text, int columns) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Cluster cluster = cluster_at(text, at);
    if (text[at] == '\n' || text[at] == '\t') {
      out += ' ';
      columns -= 1;
    } else {
      columns -= cluster.columns;
      if (columns < 0) break;
      out += visible(text.substr(at, cluster.bytes));
    }
    at += cluster.bytes;
  }
  return out;
}

}  // namespace

Layout lay_out(const InputText& input, int columns) {
  Layout layout;
  const auto begin_row = [&](std::string_view prompt) {
    const std::string shown = cut(prompt, columns - 1);
    layout.rows.push_back({shown, columns_of(shown)});
  };
  const auto note_cursor = [&](size_t at) {
    if (at != input.cursor) return;
    if (layout.rows.back().columns >= columns) layout.rows.push_back({});
    layout.cursor_row = layout.rows.size() - 1;
    layout.cursor_column = layout.rows.back().columns;
  };
  begin_row(input.prompt);
  for (size_t at = 0; at < input.text.size();) {
    const Cluster cluster = cluster_at(input.text, at);
    const bool tab = input.text[at] == '\t';
    const int width = tab ? kTab - layout.rows.back().columns % kTab : cluster.columns;
    const bool line_end = input.text[at] == '\n';
    if (!line_end && layout.rows.back().columns + width > columns) layout.rows.push_back({});
    note_cursor(at);
    if (line_end) {
      begin_row(input.more);
    } else {
      Row& row = layout.rows.back();
      row.text += tab ? std::string(static_cast<size_t>(width), ' ')
                      : visible(input.text.substr(at, cluster.bytes));
      row.columns += width;
    }
    at += cluster.bytes;
  }
  note_cursor(input.text.size());
  return layout;
}

void InputView::resize(int columns, int rows) {
  columns_ = std::max(columns, 2);
  rows_ = std::max(rows, 2);
  size_t row = 0;
  const auto broken = [&](int width) {
    return static_cast<size_t>(std::max(0, width - 1) / columns_);
  };
  for (size_t i = 0; i < std::min(cursor_row_, drawn_.size()); ++i) row += 1 + broken(drawn_[i]);
  if (!drawn_.empty()) cursor_row_ = row + static_cast<size_t>(cursor_column_ / columns_);
  cursor_row_ = std::min(cursor_row_, static_cast<size_t>(rows_ - 1));
  cursor_column_ %= columns_;
}

std::string InputView::back_to_start() const {
  return cursor_row_ > 0 ? fmt::format("\r\x1B[{}A", cursor_row_) : "\r";
}

std::string InputView::dim(std::string_view text) const {
  return styled_ ? fmt::format("\x1B[2m{}\x1B[0m", text) : std::string(text);
}

std::string InputView::draw(const InputText& input, std::string_view note) {
  const Layout layout = lay_out(input, columns_);
  const size_t room = static_cast<size_t>(rows_) - (note.empty() ? 0 : 1);
  const size_t shown = std::min(room, layout.rows.size());
  top_ = std::min(top_, layout.rows.size() - shown);
  if (layout.cursor_row < top_) top_ = layout.cursor_row;
  if (layout.cursor_row >= top_ + shown) top_ = layout.cursor_row + 1 - shown;

  std::vector<Row> seen(layout.rows.begin() + static_cast<long>(top_),
                        layout.rows.begin() + static_cast<long>(top_ + shown));
  if (!note.empty()) {
    const std::string line = cut(note, columns_ - 1);
    seen.push_back({dim(line), columns_of(line)});
  }
  // Clearing from the first cell of a screen makes tmux keep what was there as history, and
  // clearing behind a full row takes its last character.
  std::string out = back_to_start();
  drawn_.clear();
  for (size_t i = 0; i < seen.size(); ++i) {
    const bool last = i + 1 == seen.size(), full = seen[i].columns >= columns_;
    if (!last || full) out += last ? "\x1B[J" : "\x1B[K";
    out += seen[i].text;
    if (last && !full) out += "\x1B[J";
    if (!last) out += "\r\n";
    drawn_.push_back(seen[i].columns);
  }
  cursor_row_ = layout.cursor_row - top_;
  cursor_column_ = layout.cursor_column;
  const size_t up = drawn_.size() - 1 - cursor_row_;
  if (up > 0) out += fmt::format("\x1B[{}A", up);
  out += '\r';
  if (cursor_column_ > 0) out += fmt::format("\x1B[{}C", cursor_column_);
  return out;
}

std::string InputView::finish(const InputText& input) {
  const Layout layout = lay_out(input, columns_);
  std::string out = back_to_start();
  const size_t n = layout.rows.size();
  const bool all = n < static_cast<size_t>(rows_) || n <= 2 * kShownAtEnds + 1;
  for (size_t i = 0; i < n; ++i) {
    if (!all && i == kShownAtEnds) {
      const std::string gap = fmt::format("    ... {} more lines ...", n - 2 * kShownAtEnds);
      out += "\x1B[K" + dim(cut(gap, columns_ - 1)) + "\r\n";
      i = n - kShownAtEnds;
    }
    out += "\x1B[K" + layout.rows[i].text + "\r\n";
  }
  out += "\x1B[J";
  forget();
  return out;
}

std::string InputView::clear_screen() {
  forget();
  return "\x1B[H\x1B[2J";
}

void InputView::forget() {
  top_ = 0;
  drawn_.clear();
  cursor_row_ = 0;
  cursor_column_ = 0;
}

}  // namespace braid
