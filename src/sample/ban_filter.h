// Keeps banned texts out of an answer: holds tokens back while they may become a part of one, and
// tells how many to take back when one is there.
//
// Tokens go in as they are chosen. held() of the last ones may still be part of a banned text; what
// was before them is free. When a banned text is complete, the tokens from the one on in which it
// begins are forgotten here, and the caller takes them back and chooses others in their place. A
// text that an expression has not decided after Options::most_held tokens is decided as if nothing
// followed.
#pragma once

#include "text/banned_texts.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace braid {

struct BanOptions {
  int64_t banned_n = 1;  // of a banned text's tokens, those that are banned there; below 0: all
  // Added to their logits, once more each time; -inf: they are impossible.
  float bias = -std::numeric_limits<float>::infinity();
  int64_t most_rewinds = -1;  // in one place; below 0: twice the number of texts and at least 20
  int64_t most_held = 128;    // tokens
};

class BanFilter {
 public:
  // The tokenizer outlives the filter.
  BanFilter(std::shared_ptr<const BannedTexts> banned, const Tokenizer& tokenizer,
            const BanOptions& options);

  // The tokens of a banned text that is complete with this one, which is the last of them; empty
  // when there is none. Throws Error when an expression takes too long.
  std::vector<int32_t> token(int32_t id);
  // The same when the answer ends here; all of them were given before.
  std::vector<int32_t> finish();

  size_t held() const { return held_.size(); }
  bool gave_up() const { return in_place_ > most_in_place_; }
  const BanOptions& options() const { return options_; }

  int64_t rewinds() const { return rewinds_; }        // of the whole answer,
  int64_t taken_back() const { return taken_back_; }  // and tokens

 private:
  struct Held {
    int32_t id;
    StreamDecoder before;  // as it was when the token came
    size_t begin, end;     // of its text; a character belongs to the token that completes it
    size_t open = 0;       // where a text could begin that what follows may complete
  };

  size_t owner(size_t at) const;
  std::vector<int32_t> take_back(size_t at);
  void release(size_t n);

  std::shared_ptr<const BannedTexts> banned_;
  const Tokenizer& tokenizer_;
  BanOptions options_;
  int64_t most_in_place_;
  StreamDecoder decoder_;
  std::string text_;  // of the held tokens, and what stands before them
  std::deque<Held> held_;
  // As it was after the last token that was let go: what follows may be taken back, and then a text
  // may begin there. Its tokens in front of the held ones stay.
  size_t open_ = 0;
  int64_t in_place_ = 0, rewinds_ = 0, taken_back_ = 0;
};

}  // namespace braid
