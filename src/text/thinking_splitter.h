// An answer as it streams in, parted into what the model thinks and what it says.
//
// Thinking is one stretch at the beginning: from <think>, which the prompt may already have ended
// with (prompt_opens_thinking) or the answer begins with, to the first </think>. Tags may be cut
// anywhere between pieces and are not passed on. Line ends around the two parts are dropped as the
// published templates of Qwen do when they part a message: after <think>, before and after
// </think>. What looks like a tag later on is text. A value: a copy is a checkpoint.
#pragma once

#include <string>
#include <string_view>

namespace braid {

struct AnswerText {
  std::string thinking, content;
  bool operator==(const AnswerText&) const = default;
};

class ThinkingSplitter {
 public:
  explicit ThinkingSplitter(bool begins_inside = false)
      : part_(begins_inside ? Part::kThinking : Part::kStart) {}

  // Appends what is certain to the two texts of `out`. When one call adds to both, the thinking
  // comes first.
  void feed(std::string_view text, AnswerText& out);

  // The answer has ended: what was held back and is no tag comes out.
  void finish(AnswerText& out);

  bool at_start() const { return part_ == Part::kStart; }
  bool thinking() const { return part_ == Part::kThinking; }
  size_t held_bytes() const { return held_.size(); }

 private:
  enum class Part { kStart, kThinking, kContent };

  bool take_start(AnswerText& out);
  bool take_thinking(AnswerText& out);
  bool take_content(AnswerText& out);

  Part part_;
  bool skip_lines_ = true;  // line ends at the beginning of this part are dropped
  std::string held_;        // not yet known to be text
};

// Whether a rendered prompt ends inside a <think> that only the answer will close.
bool prompt_opens_thinking(std::string_view prompt);

}  // namespace braid
