// Answers that go back: what follows has the bits of an answer that never went the other way,
// whether the state came from the ring or from a snapshot, alone or in company.
#include "tests/isolation/scheduler_support.h"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

namespace braid::isolation {
namespace {

// At some places, the first time that they are reached, `far` tokens and the chosen one are taken
// back, and the first of them is banned.
struct Walk {
  explicit Walk(std::vector<std::pair<int64_t, int64_t>> place_and_far)
      : backs(std::move(place_and_far)) {}

  std::optional<StepBack> judge(int32_t token) {
    for (auto& [place, far] : backs) {
      if (far < 0 || place != static_cast<int64_t>(tokens.size())) continue;
      StepBack back{false, place - far, {}};
      far = -1;
      const int32_t first = back.keep < place ? tokens[static_cast<size_t>(back.keep)] : token;
      back.biases.push_back({back.keep, first, -std::numeric_limits<float>::infinity()});
      bans.erase(bans.upper_bound(back.keep), bans.end());
      bans[back.keep].push_back(first);
      tokens.resize(static_cast<size_t>(back.keep));
      rows.resize(static_cast<size_t>(back.keep));
      return back;
    }
    return std::nullopt;
  }
  bool take(int32_t token, std::span<const float> logits) {
    tokens.push_back(token);
    rows.emplace_back(logits.begin(), logits.end());
    return true;
  }

  std::vector<std::pair<int64_t, int64_t>> backs;
  Tokens tokens;
  std::vector<std::vector<float>> rows;
  std::map<int64_t, Tokens> bans;
};

Request walking(Request request, Walk& walk, std::promise<Outcome>& ended) {
  request.end_tokens.clear();
  request.judge = [&](int32_t token, bool) { return walk.judge(token); };
  request.on_token = [&](int32_t token, std::span<const float> row) {
    return walk.take(token, row);
  };
  request.on_end = [&](const Outcome& outcome) { ended.set_value(outcome); };
  return request;
}

Outcome run(House& house, const Request& request, Walk& walk) {
  std::promise<Outcome> ended;
  house.scheduler->submit(walking(request, walk, ended));
  return ended.get_future().get();
}

testing::AssertionResult as_alone(House& house, const Request& request, const Walk& walk,
                                  const Outcome& outcome) {
  if (outcome.reason != EndReason::kMaxTokens)
    return testing::AssertionFailure() << name_of(outcome.reason) << outcome.error;
  if (outcome.tokens != walk.tokens) return testing::AssertionFailure() << "told others";
  const Rows& expected = house.solo.logits(joined(request.prompt, walk.tokens));
  Sampler sampler(request.sampling, house.vocabulary);
  sampler.accept(request.prompt);
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  for (int64_t i = 0; i < static_cast<int64_t>(walk.tokens.size()); ++i) {
    const auto at = static_cast<size_t>(i);
    if (const auto same = same_bits(walk.rows[at], expected[prompt - 1 + i]); !same)
      return testing::AssertionFailure() << "token " << i << ": " << same.message();
    if (const auto here = walk.bans.find(i); here != walk.bans.end())
      for (const int32_t banned : here->second)
        sampler.bias_at(static_cast<size_t>(prompt + i), banned,
                        -std::numeric_limits<float>::infinity());
    if (sampler.sample(expected[prompt - 1 + i]) != walk.tokens[at])
      return testing::AssertionFailure() << "token " << i << " is another";
    sampler.accept(walk.tokens[at]);
  }
  return testing::AssertionSuccess();
}

class GoingBack : public testing::TestWithParam<Setup> {};

TEST_P(GoingBack, GivesTheBitsOfTheWayThatStays) {
  House house(GetParam());
  const std::vector<std::vector<std::pair<int64_t, int64_t>>> walks = {
      {{0, 0}},                              // the first token, on the spot
      {{1, 1}},                              // before the prompt's last token
      {{5, 2}, {6, 3}, {20, 15}, {30, 16}},  // within the ring, and once more from there
      {{25, 25}, {26, 3}, {33, 30}},         // beyond it
      {{38, 20}, {39, 21}, {37, 1}, {36, 36}}};
  for (size_t i = 0; i < walks.size(); ++i)
    for (const int64_t seed : {4, 7}) {
      const Request request =
          request_of(timeline(static_cast<int>(i), 40 + 7 * int64_t(i)), 40, seed);
      Walk walk(walks[i]), again(walks[i]);
      const Outcome outcome = run(house, request, walk);
      EXPECT_TRUE(as_alone(house, request, walk, outcome)) << i << " " << seed;
      const Outcome second = run(house, request, again);  // from what the first one left
      EXPECT_EQ(second.tokens, outcome.tokens);
      EXPECT_GT(second.cached.usable, 0);
    }
}

// As many tries in one place as nobody gets in a step.
TEST_P(GoingBack, TriesInOnePlaceGoOnInTheNextStep) {
  House house(GetParam());
  const Request request = request_of(timeline(1, 30), 12, 7);
  std::vector<std::pair<int64_t, int64_t>> many(20, {3, 0});
  Walk walk(many);
  const Outcome outcome = run(house, request, walk);
  EXPECT_TRUE(as_alone(house, request, walk, outcome));
  EXPECT_EQ(walk.bans[3].size(), 20u);
}

TEST_P(GoingBack, InCompanyToo) {
  House house(GetParam(), engine_options(3, 24));
  std::mt19937 random(5);
  std::vector<Request> requests;
  std::vector<std::unique_ptr<Walk>> walks;
  std::vector<std::promise<Outcome>> ended(12);
  for (int i = 0; i < 12; ++i) {
    std::vector<std::pair<int64_t, int64_t>> backs;
    for (int k = 0; k < 4; ++k) {
      const auto place = static_cast<int64_t>(random() % 40);
      backs.emplace_back(place, static_cast<int64_t>(random() % static_cast<size_t>(place + 1)));
    }
    requests.push_back(request_of(timeline(i % 3, 30 + i * 5), 40, i));
    walks.push_back(std::make_unique<Walk>(std::move(backs)));
    house.scheduler->submit(walking(requests.back(), *walks.back(), ended[static_cast<size_t>(i)]));
  }
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_TRUE(as_alone(house, requests[i], *walks[i], ended[i].get_future().get())) << i;
}

TEST(GoingBackEnds, AnAnswerMayEndInstead) {
  House house(kPlain);
  Request request = request_of(timeline(1, 30), 12, 3);
  int seen = 0;
  request.judge = [&](int32_t, bool) {
    return ++seen == 5 ? std::optional(StepBack{true, 0, {}}) : std::nullopt;
  };
  request.end_tokens.clear();
  auto answer = house.ask(std::move(request));
  EXPECT_EQ(answer->wait().reason, EndReason::kStopped);
  EXPECT_EQ(answer->wait().tokens.size(), 4u);
}

INSTANTIATE_TEST_SUITE_P(All, GoingBack, testing::ValuesIn(few_setups()), name_of);

}  // namespace
}  // namespace braid::isolation
