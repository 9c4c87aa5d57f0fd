// Ends an answer where one of the stop strings appears, without ever showing a part of one.
//
// Text goes in as it is decoded and comes out as soon as it can no longer be the beginning of a
// stop string. The first stop string to be complete ends the answer, of several that are complete
// at the same byte the longest; what stands before it comes out, it and what follows do not. How
// the text is cut into pieces makes no difference. Given whole UTF-8 characters (StreamDecoder) it
// passes on whole characters. A value: a copy is a checkpoint.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class StopMatcher {
 public:
  // Throws Error for a stop string that is empty or not UTF-8.
  explicit StopMatcher(const std::vector<std::string>& stops);

  // Takes the next piece and appends to `out` what is certain. True when the answer has ended, now
  // or before.
  bool feed(std::string_view text, std::string& out);

  // The answer has ended otherwise: what was held back comes out.
  void finish(std::string& out);

  bool stopped() const { return matched_ >= 0; }
  std::string_view matched() const;  // the stop string, empty when none
  size_t held_bytes() const { return held_.size(); }

 private:
  // A stop string and how much of it the text so far ends with (Knuth, Morris and Pratt 1977).
  struct Stop {
    std::string text;
    std::vector<size_t>
        border;  // [n]: the longest beginning of text that text[0, n) also ends with
    size_t matched = 0;

    void step(char byte);
  };

  std::vector<Stop> stops_;
  std::string held_;
  int matched_ = -1;  // index of the stop string
};

}  // namespace braid
