#include "tools/terminal/line_editor.h"

#include "tools/terminal/display_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

using enum EditOutcome;

constexpr std::string_view kQuotes = "\"\"\"";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

std::string_view trimmed_end(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// The text inside of the quotes at its beginning; nothing when there are none.
std::optional<std::string_view> quoted(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || !text.substr(first).starts_with(kQuotes))
    return std::nullopt;
  return text.substr(first + kQuotes.size());
}

bool is_kill(KeyCode code) {
  return code == KeyCode::kKillToEnd || code == KeyCode::kKillToStart ||
         code == KeyCode::kKillBlock || code == KeyCode::kKillWordBack ||
         code == KeyCode::kKillWordForward;
}

}  // namespace

bool needs_more(std::string_view text) {
  if (const auto inside = quoted(text)) return !trimmed_end(*inside).ends_with(kQuotes);
  return text.ends_with('\\');
}

std::string finished_message(std::string_view text) {
  const auto inside = quoted(text);
  if (!inside) return std::string(text);
  std::string_view message = trimmed_end(*inside);
  if (!message.ends_with(kQuotes)) return std::string(text);
  message.remove_suffix(kQuotes.size());
  if (message.starts_with('\n')) message.remove_prefix(1);
  if (message.ends_with('\n')) message.remove_suffix(1);
  return std::string(message);
}

LineEditor::LineEditor(const History& history, Completer completer)
    : history_(history), completer_(std::move(completer)), entry_(history.entries().size()) {}

void LineEditor::start(std::string text) {
  set_text(std::move(text));
  draft_.clear();
  entry_ = history_.entries().size();
  search_.reset();
  choices_.clear();
  killing_ = false;
}

std::string LineEditor::note() const {
  if (search_) {
    return fmt::format("{}search back: {}", search_->failed ? "not found, " : "", search_->wanted);
  }
  std::string note;
  for (const std::string& choice : choices_) note += (note.empty() ? "" : "  ") + choice;
  return note;
}

EditOutcome LineEditor::handle(const Key& key) {
  choices_.clear();
  if (search_) return handle_search(key);
  const EditOutcome outcome = edit(key);
  killing_ = is_kill(key.code);
  return outcome;
}

EditOutcome LineEditor::edit(const Key& key) {
  const size_t before = cursor_;
  switch (key.code) {
    case KeyCode::kText:
    case KeyCode::kPaste:
      insert(key.text);
      return kGoOn;
    case KeyCode::kEnter:
      if (enter_sends_) return send();
      insert("\n");
      return kGoOn;
    case KeyCode::kNewline:
      if (!enter_sends_) return kSend;
      insert("\n");
      return kGoOn;
    case KeyCode::kTab:
      return complete();
    case KeyCode::kBackspace:
      erase(previous_boundary(text_, cursor_), cursor_);
      return before > 0 ? kGoOn : kBell;
    case KeyCode::kDeleteOrEnd:
      if (text_.empty()) return kEnd;
      [[fallthrough]];
    case KeyCode::kDelete:
      if (cursor_ == text_.size()) return kBell;
      erase(cursor_, next_boundary(text_, cursor_));
      return kGoOn;
    case KeyCode::kLeft:
      cursor_ = previous_boundary(text_, cursor_);
      return cursor_ != before ? kGoOn : kBell;
    case KeyCode::kRight:
      cursor_ = next_boundary(text_, cursor_);
      return cursor_ != before ? kGoOn : kBell;
    case KeyCode::kUp:
      return move_line(-1) || move_in_history(-1) ? kGoOn : kBell;
    case KeyCode::kDown:
      return move_line(1) || move_in_history(1) ? kGoOn : kBell;
    case KeyCode::kHome:
      cursor_ = line_begin(cursor_);
      return kGoOn;
    case KeyCode::kEnd:
      cursor_ = line_end(cursor_);
      return kGoOn;
    case KeyCode::kWordLeft:
      cursor_ = word_left();
      return kGoOn;
    case KeyCode::kWordRight:
      cursor_ = word_right();
      return kGoOn;
    case KeyCode::kKillToEnd: {
      const size_t end = line_end(cursor_);
      kill(cursor_, end == cursor_ ? next_boundary(text_, end) : end, false);
      return kGoOn;
    }
    case KeyCode::kKillToStart: {
      const size_t begin = line_begin(cursor_);
      kill(begin == cursor_ ? previous_boundary(text_, begin) : begin, cursor_, true);
      return kGoOn;
    }
    case KeyCode::kKillBlock: {
      size_t begin = cursor_;
      while (begin > 0 && is_space(text_[begin - 1])) --begin;
      while (begin > 0 && !is_space(text_[begin - 1])) --begin;
      kill(begin, cursor_, true);
      return kGoOn;
    }
    case KeyCode::kKillWordBack:
      kill(word_left(), cursor_, true);
      return kGoOn;
    case KeyCode::kKillWordForward:
      kill(cursor_, word_right(), false);
      return kGoOn;
    case KeyCode::kYank:
      insert(killed_);
      return killed_.empty() ? kBell : kGoOn;
    case KeyCode::kTranspose:
      transpose();
      return kGoOn;
    case KeyCode::kClearScreen:
      return kClearScreen;
    case KeyCode::kSearch:
      search_ = Search{"", history_.entries().size(), false, text_, cursor_, entry_};
      return kGoOn;
    case KeyCode::kCancel:
      return kGoOn;
    case KeyCode::kInterrupt:
      return kInterrupt;
    case KeyCode::kSuspend:
      return kSuspend;
  }
  return kBell;
}

EditOutcome LineEditor::handle_search(const Key& key) {
  switch (key.code) {
    case KeyCode::kText:
    case KeyCode::kPaste:
      search_->wanted += key.text;
      look_for(std::min(search_->found, history_.entries().size() - 1) + 1);
      return kGoOn;
    case KeyCode::kBackspace:
      search_->wanted.erase(previous_boundary(search_->wanted, search_->wanted.size()));
      look_for(history_.entries().size());
      return kGoOn;
    case KeyCode::kSearch:
      look_for(search_->found);
      return kGoOn;
    case KeyCode::kCancel:
    case KeyCode::kInterrupt: {
      const Search before = std::move(*search_);
      search_.reset();
      text_ = before.text;
      cursor_ = before.cursor;
      entry_ = before.entry;
      return kGoOn;
    }
    default:
      search_.reset();
      return handle(key);
  }
}

// Shows the newest entry before this one that has what is looked for; without one all stays.
void LineEditor::look_for(size_t before) {
  const size_t found =
      search_->wanted.empty() ? History::npos : history_.find_before(before, search_->wanted);
  search_->failed = found == History::npos && !search_->wanted.empty();
  if (found == History::npos) return;
  search_->found = found;
  if (entry_ == history_.entries().size()) draft_ = search_->text;
  entry_ = found;
  text_ = history_.entries()[found];
  cursor_ = text_.find(search_->wanted);
}

EditOutcome LineEditor::send() {
  if (!needs_more(text_)) return kSend;
  const bool block = quoted(text_).has_value();
  cursor_ = text_.size();
  if (!block) text_.erase(--cursor_);
  insert("\n");
  return kGoOn;
}

EditOutcome LineEditor::complete() {
  if (!text_.starts_with('/')) {
    insert("\t");
    return kGoOn;
  }
  const std::string before = text_.substr(0, cursor_);
  const std::vector<std::string> words =
      completer_ ? completer_(before) : std::vector<std::string>();
  if (words.empty()) return kBell;
  const size_t space = before.find_last_of(" \n");
  const size_t begin = space == std::string::npos ? 0 : space + 1;
  std::string common = words[0];
  for (const std::string& word : words) {
    const auto differs = std::mismatch(common.begin(), common.end(), word.begin(), word.end());
    common.erase(differs.first, common.end());
  }
  if (words.size() == 1 && !common.ends_with('/')) common += ' ';
  const bool longer = common.size() > cursor_ - begin;
  if (longer) {
    erase(begin, cursor_);
    insert(common);
  }
  if (words.size() > 1) choices_ = words;
  return longer || words.size() > 1 ? kGoOn : kBell;
}

void LineEditor::insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

void LineEditor::erase(size_t begin, size_t end) {
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

void LineEditor::kill(size_t begin, size_t end, bool backwards) {
  const std::string gone = text_.substr(begin, end - begin);
  if (gone.empty()) return;
  if (!killing_) killed_.clear();
  killed_ = backwards ? gone + killed_ : killed_ + gone;
  erase(begin, end);
}

size_t LineEditor::line_begin(size_t at) const {
  const size_t before = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
  return before == std::string::npos ? 0 : before + 1;
}

size_t LineEditor::line_end(size_t at) const {
  return std::min(text_.size(), text_.find('\n', at));
}

// To the line above or below, to the column in which the cursor is.
bool LineEditor::move_line(int by) {
  const size_t begin = line_begin(cursor_), end = line_end(cursor_);
  if (by < 0 ? begin == 0 : end == text_.size()) return false;
  const int column = columns_of(std::string_view(text_).substr(begin, cursor_ - begin));
  const size_t target = by < 0 ? line_begin(begin - 1) : end + 1;
  const size_t target_end = line_end(target);
  cursor_ = target;
  for (int at = 0; cursor_ < target_end;) {
    const Cluster cluster = cluster_at(text_, cursor_);
    at += cluster.columns;
    if (at > column) break;
    cursor_ += cluster.bytes;
  }
  return true;
}

bool LineEditor::move_in_history(int by) {
  const size_t entries = history_.entries().size();
  if (by < 0 ? entry_ == 0 : entry_ == entries) return false;
  if (entry_ == entries) draft_ = text_;
  entry_ = by < 0 ? entry_ - 1 : entry_ + 1;
  set_text(entry_ == entries ? draft_ : history_.entries()[entry_]);
  return true;
}

void LineEditor::set_text(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

size_t LineEditor::word_left() const {
  size_t at = cursor_;
  bool inside = false;
  while (at > 0) {
    const size_t before = previous_boundary(text_, at);
    const bool word = is_word_character(text_, before);
    if (inside && !word) break;
    inside = word;
    at = before;
  }
  return at;
}

size_t LineEditor::word_right() const {
  size_t at = cursor_;
  bool inside = false;
  while (at < text_.size()) {
    const bool word = is_word_character(text_, at);
    if (inside && !word) break;
    inside = word;
    at = next_boundary(text_, at);
  }
  return at;
}

// The characters around the cursor change places; at the end of a line the two before it.
void LineEditor::transpose() {
  const size_t begin = line_begin(cursor_), end = line_end(cursor_);
  const size_t right = cursor_ == end ? previous_boundary(text_, cursor_) : cursor_;
  if (right <= begin || right >= end) return;
  const size_t left = previous_boundary(text_, right), after = next_boundary(text_, right);
  const std::string swapped = text_.substr(right, after - right) + text_.substr(left, right - left);
  text_.replace(left, after - left, swapped);
  cursor_ = after;
}

}  // namespace braid
