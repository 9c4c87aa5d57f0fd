// Editing a message: keys in, text and cursor out. Knows nothing of terminals.
//
// A message may have several lines. Enter sends it, unless it is unfinished (needs_more) or the
// editor is told that Enter begins a line; the key for a new line then sends. Up and Down move
// between lines and, at the first and last one, through the history, behind which the draft waits.
#pragma once

#include "tools/terminal/history.h"
#include "tools/terminal/keys.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// What the last word before the cursor may become: whole words that begin with it.
using Completer = std::function<std::vector<std::string>(std::string_view before_cursor)>;

enum class EditOutcome {
  kGoOn,
  kSend,
  kInterrupt,  // Ctrl-C; an empty text stays one
  kEnd,        // Ctrl-D on an empty text
  kSuspend,
  kClearScreen,
  kBell,  // nothing to do for this key
};

class LineEditor {
 public:
  // The history outlives the editor.
  explicit LineEditor(const History& history, Completer completer = {});

  // Begins a message, with a text to go on from.
  void start(std::string text = "");
  void set_enter_sends(bool sends) { enter_sends_ = sends; }

  EditOutcome handle(const Key& key);

  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }
  bool searching() const { return search_.has_value(); }
  // A line to show below the text: the search, or the words that a Tab could mean.
  std::string note() const;

 private:
  struct Search {
    std::string wanted;
    size_t found = History::npos;
    bool failed = false;
    std::string text;  // before the search
    size_t cursor = 0, entry = 0;
  };

  EditOutcome handle_search(const Key& key);
  EditOutcome edit(const Key& key);
  EditOutcome send();
  EditOutcome complete();
  void insert(std::string_view text);
  void erase(size_t begin, size_t end);
  void kill(size_t begin, size_t end, bool backwards);
  bool move_line(int by);
  bool move_in_history(int by);
  void look_for(size_t before);
  void transpose();
  void set_text(std::string text);
  size_t line_begin(size_t at) const;
  size_t line_end(size_t at) const;
  size_t word_left() const;
  size_t word_right() const;

  const History& history_;
  Completer completer_;
  std::string text_, draft_, killed_;
  size_t cursor_ = 0, entry_ = 0;  // entry_ of the history is shown; its size: the draft
  bool enter_sends_ = true;
  bool killing_ = false;  // the last key was a kill: the next one adds to it
  std::optional<Search> search_;
  std::vector<std::string> choices_;
};

// Whether a message goes on after Enter: a backslash at its end, or an open """ block.
bool needs_more(std::string_view text);

// The message as it is meant, without the """ around it.
std::string finished_message(std::string_view text);

}  // namespace braid
