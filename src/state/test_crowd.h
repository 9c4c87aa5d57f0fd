// For tests: the requests of many conversations, with documents between them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

namespace braid::test {

struct Turn {
  std::vector<int32_t> prompt;
  std::vector<int64_t> messages;
  std::vector<int32_t> answer;  // one that could be
};

// People who talk, ask again, edit and branch, on a few system prompts; beside them documents that
// are read once. All lengths are divided by `scale`.
class Crowd {
 public:
  using Tokens = std::vector<int32_t>;

  Crowd(uint32_t seed, std::function<Tokens(size_t)> text, size_t scale = 1, size_t talks = 30)
      : random_(seed), text_(std::move(text)), scale_(scale) {
    for (int i = 0; i < 4; ++i) systems_.push_back(text_((300 + below(1200)) / scale_));
    for (size_t i = 0; i < talks; ++i) talks_.push_back(new_talk());
  }

  Turn next() {
    Turn turn;
    talk_ = nullptr;
    if (below(100) < 20) {
      turn.prompt = text_((500 + below(3000)) / scale_);
      turn.answer = text_((20 + below(100)) / scale_);
      return turn;
    }
    // Some talk much more than others.
    Talk& talk = talks_[std::min(below(talks_.size()), below(talks_.size()))];
    const auto kind = below(100);
    if (talk.size() > 40 || kind < 4) talk = new_talk();
    if (kind >= 4 && kind < 16 && talk.size() > 2) {
      talk.pop_back();  // ask again
    } else {
      if (kind >= 16 && kind < 24 && talk.size() > 4)  // edit an earlier question
        talk.resize(1 + 2 * below((talk.size() - 1) / 2));
      talk.push_back(text_((20 + below(200)) / scale_));
    }
    for (const Tokens& message : talk) {
      turn.prompt.insert(turn.prompt.end(), message.begin(), message.end());
      turn.messages.push_back(static_cast<int64_t>(turn.prompt.size()));
    }
    turn.answer = text_((30 + below(250)) / scale_);
    talk_ = &talk;
    return turn;
  }
  // What the last turn was answered: its conversation goes on from there.
  void answered(Tokens answer) {
    if (talk_) talk_->push_back(std::move(answer));
  }

 private:
  using Talk = std::vector<Tokens>;

  size_t below(size_t n) { return random_() % n; }
  Talk new_talk() { return {systems_[std::min(below(4), below(4))]}; }

  std::mt19937 random_;
  std::function<Tokens(size_t)> text_;
  size_t scale_;
  std::vector<Tokens> systems_;
  std::vector<Talk> talks_;
  Talk* talk_ = nullptr;
};

}  // namespace braid::test
