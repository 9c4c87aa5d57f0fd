#include "text/thinking_splitter.h"

#include <algorithm>

namespace braid {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kLineEnds = "\r\n";
constexpr std::string_view kSpace = " \t\r\n";

// How many of the last bytes of `text` may be the beginning of `tag`.
size_t begun(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
    if (text.ends_with(tag.substr(0, n))) return n;
  return 0;
}

}  // namespace

void ThinkingSplitter::feed(std::string_view text, AnswerText& out) {
  held_ += text;
  bool parted = true;
  while (parted) {
    if (part_ == Part::kStart) {
      parted = take_start(out);
    } else if (part_ == Part::kThinking) {
      parted = take_thinking(out);
    } else {
      parted = take_content(out);
    }
  }
}

// Each of these passes on what it can and says whether another part has begun.
bool ThinkingSplitter::take_start(AnswerText&) {
  const size_t first = held_.find_first_not_of(kSpace);
  if (first == std::string::npos) return false;
  const std::string_view rest = std::string_view(held_).substr(first);
  if (rest.starts_with(kOpen)) {
    held_.erase(0, first + kOpen.size());
    part_ = Part::kThinking;
    return true;
  }
  if (kOpen.starts_with(rest)) return false;
  part_ = Part::kContent;
  skip_lines_ = false;  // without thinking the answer is what it is
  return true;
}

bool ThinkingSplitter::take_thinking(AnswerText& out) {
  const size_t close = held_.find(kClose);
  size_t certain = close != std::string::npos ? close : held_.size() - begun(held_, kClose);
  if (skip_lines_) {
    const size_t first = std::min(certain, held_.find_first_not_of(kLineEnds));
    held_.erase(0, first);
    certain -= first;
    skip_lines_ = certain == 0;
  }
  // Line ends wait: they are dropped when </think> follows.
  const size_t last = std::string_view(held_).substr(0, certain).find_last_not_of(kLineEnds);
  const size_t shown = last == std::string_view::npos ? 0 : last + 1;
  out.thinking.append(held_, 0, shown);
  if (close == std::string::npos) {
    held_.erase(0, shown);
    return false;
  }
  held_.erase(0, certain + kClose.size());
  part_ = Part::kContent;
  skip_lines_ = true;
  return true;
}

bool ThinkingSplitter::take_content(AnswerText& out) {
  size_t first = 0;
  if (skip_lines_) first = std::min(held_.size(), held_.find_first_not_of(kLineEnds));
  if (first < held_.size()) skip_lines_ = false;
  out.content.append(held_, first);
  held_.clear();
  return false;
}

void ThinkingSplitter::finish(AnswerText& out) {
  if (part_ == Part::kThinking) {
    held_.erase(held_.find_last_not_of(kLineEnds) + 1);
    out.thinking += held_;
  } else {
    out.content += held_;
  }
  held_.clear();
}

bool prompt_opens_thinking(std::string_view prompt) {
  const size_t last = prompt.find_last_not_of(kSpace);
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(kOpen);
}

}  // namespace braid
