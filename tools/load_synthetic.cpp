#include "tools/load_synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string_view>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// Words that vocabularies of English have as one token, with the blank before them.
constexpr std::array<std::string_view, 128> kWords = {
    "the",   "and",     "that",     "with",      "this",   "from",    "have",   "they",
    "will",  "would",   "there",    "their",     "what",   "about",   "which",  "when",
    "make",  "like",    "time",     "just",      "know",   "take",    "people", "into",
    "year",  "good",    "some",     "could",     "them",   "other",   "than",   "then",
    "look",  "only",    "come",     "over",      "think",  "also",    "back",   "after",
    "work",  "first",   "well",     "even",      "want",   "because", "these",  "give",
    "most",  "water",   "house",    "light",     "small",  "large",   "under",  "never",
    "place", "right",   "round",    "great",     "where",  "through", "much",   "before",
    "line",  "mean",    "same",     "tell",      "such",   "follow",  "came",   "show",
    "form",  "three",   "sentence", "set",       "put",    "end",     "does",   "another",
    "must",  "big",     "turn",     "here",      "why",    "ask",     "went",   "men",
    "read",  "need",    "land",     "different", "home",   "move",    "try",    "kind",
    "hand",  "picture", "again",    "change",    "off",    "play",    "spell",  "air",
    "away",  "animal",  "point",    "page",      "letter", "mother",  "answer", "found",
    "study", "still",   "learn",    "should",    "world",  "high",    "every",  "near",
    "add",   "food",    "between",  "own",       "below",  "country", "plant",  "last"};

// splitmix64: a few lines that give the same numbers with every library.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  int64_t even(LengthRange r) {
    return r.min + static_cast<int64_t>(next() % static_cast<uint64_t>(r.max - r.min + 1));
  }
  // Even in its logarithm, bit by bit: the root, the fourth root, ... of the range's width.
  // Libraries differ in the last bits of logarithms and exponentials, in roots and products they do
  // not.
  int64_t length(LengthRange r) {
    const auto min = static_cast<double>(r.min);
    double factor = 1, root = (static_cast<double>(r.max) + 1) / min;
    uint64_t bits = next();
    for (int i = 0; i < 40; ++i, bits >>= 1) {
      root = std::sqrt(root);
      if (bits & 1) factor *= root;
    }
    return std::clamp(static_cast<int64_t>(min * factor), r.min, r.max);
  }
  // Of mean 1, as between things that happen by chance. John von Neumann's way, with nothing but
  // comparisons: falling runs of numbers, of which the first is kept when the run's length is odd.
  double gap() {
    for (double whole = 0;; ++whole) {
      const double first = fraction();
      bool odd = true;
      double last = first;
      for (double drawn = fraction(); drawn < last; drawn = fraction()) {
        last = drawn;
        odd = !odd;
      }
      if (odd) return whole + first;
    }
  }

 private:
  uint64_t state_;
};

// A stretch of a conversation, as text or as ids.
Json stretch(const SyntheticOptions& o, Numbers& numbers, int64_t tokens) {
  if (o.form == LoadForm::kIds) {
    Json ids = Json::array();
    for (int64_t i = 0; i < tokens; ++i) ids.push_back(numbers.even(o.ids));
    return ids;
  }
  std::string text;
  for (int64_t i = 0; i < tokens; ++i) {
    if (!text.empty() || o.form == LoadForm::kText) text += ' ';
    text += kWords[numbers.next() % kWords.size()];
  }
  return text;
}

// What has been said so far, in the form of the request's prompt.
class Said {
 public:
  explicit Said(const SyntheticOptions& o) : o_(o) {
    said_ = o.form == LoadForm::kText ? Json("") : Json::array();
  }

  void add(const char* role, const Json& what) {
    if (o_.form == LoadForm::kChat)
      said_.push_back({{"role", role}, {"content", what}});
    else if (o_.form == LoadForm::kIds)
      said_.insert(said_.end(), what.begin(), what.end());
    else if (said_.is_array())
      said_.push_back(what);
    else
      said_ = said_.get<std::string>() + what.get<std::string>();
  }
  void add_answer(int64_t turn) {
    if (said_.is_string()) said_ = Json::array({said_});
    said_.push_back({{"answer", turn}});
  }
  const Json& json() const { return said_; }

 private:
  const SyntheticOptions& o_;
  Json said_;
};

class Conversations {
 public:
  Conversations(const SyntheticOptions& options, std::optional<int64_t> requests)
      : o_(options), requests_(requests) {}

  std::optional<LoadSession> next() {
    if (requests_ && made_ >= *requests_) return std::nullopt;
    LoadSession session = make(session_++);
    if (requests_ && made_ + static_cast<int64_t>(session.size()) > *requests_)
      session.resize(static_cast<size_t>(*requests_ - made_));
    for (AskedRequest& request : session) request.number = made_++;
    return session;
  }

 private:
  LoadSession make(int64_t index) {
    const uint64_t of_seed = Numbers(o_.seed).next();
    Numbers numbers(Numbers(of_seed ^ static_cast<uint64_t>(index)).next());
    if (o_.rate > 0) begins_ += index == 0 ? 0 : numbers.gap() / o_.rate;
    Said said(o_);
    int64_t prompt = numbers.length(o_.prompt);
    if (const int64_t shared = std::min(o_.shared, prompt - 1); shared > 0) {
      Numbers same(o_.seed);
      said.add("system", stretch(o_, same, shared));
      said.add("user", stretch(o_, numbers, prompt - shared));
    } else {
      said.add("user", stretch(o_, numbers, prompt));
    }
    LoadSession session;
    const int64_t turns = numbers.even(o_.turns);
    for (int64_t turn = 0;; ++turn) {
      const int64_t answer = numbers.length(o_.answer);
      session.push_back(request(index, turn, said.json(), answer, numbers));
      const int64_t message = numbers.length(o_.message);
      prompt += answer + message;
      if (turn + 1 == turns || prompt > o_.prompt.max) return session;
      if (o_.real_answers)
        said.add_answer(turn);
      else
        said.add("assistant", stretch(o_, numbers, answer));
      said.add("user", stretch(o_, numbers, message));
    }
  }

  AskedRequest request(int64_t session, int64_t turn, const Json& said, int64_t answer,
                       Numbers& numbers) {
    AskedRequest r;
    r.session = session;
    r.turn = turn;
    r.at = std::round((begins_ + static_cast<double>(turn) * o_.pause) * 1000) / 1000;
    const double temperature =
        o_.temperatures[static_cast<size_t>(session + turn) % o_.temperatures.size()];
    r.body[o_.form == LoadForm::kChat ? "messages" : "prompt"] = said;
    r.body["max_tokens"] = answer;
    r.body["temperature"] = temperature;
    const uint64_t seed = numbers.next() >> 33;
    if (temperature > 0) r.body["seed"] = seed;
    if (o_.ignore_eos) r.body["ignore_eos"] = true;
    return r;
  }

  SyntheticOptions o_;
  std::optional<int64_t> requests_;
  int64_t made_ = 0, session_ = 0;
  double begins_ = 0;
};

}  // namespace

SessionSource synthetic_sessions(const SyntheticOptions& options, std::optional<int64_t> requests) {
  const auto made = std::make_shared<Conversations>(options, requests);
  return [made] { return made->next(); };
}

}  // namespace braid
