// The answers to one HTTP request, from the scheduler's tokens to the client.
//
// Tokens wait in between while they may become part of a banned text.
//
// start() hands one Request to the scheduler for each choice of each prompt, and returns; all else
// happens in callbacks on the scheduler's thread, and where the exchange tells that the client has
// gone. The callbacks keep the Answer alive. What the scheduler's thread alone
// touches needs no lock: the mutex guards the stream and the ids of the requests.
#pragma once

#include "sample/loop_guard.h"
#include "server/answer_writer.h"
#include "server/api.h"
#include "server/budget.h"
#include "server/error_body.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace braid {

class Answer : public std::enable_shared_from_this<Answer> {
 public:
  // Replies in any case, now or later. Throws nothing about the plan: check_prompts has seen it.
  // `room` is what the plan takes, given back with it.
  static void start(Api& api, std::shared_ptr<Exchange> exchange, AnswerPlan plan,
                    BudgetShare room);

 private:
  using Clock = std::chrono::steady_clock;

  // A token that has been chosen, and what is to be told of it.
  struct Chosen {
    int32_t id = 0;
    std::optional<NotedToken> note;
    double logprob = 0;  // for best_of
  };

  // An answer on its way.
  struct Choice {
    Choice(const Tokenizer& tokenizer, const ReaderOptions& options) : reader(tokenizer, options) {}

    AnswerReader reader;
    std::optional<BanFilter> bans;
    std::deque<Chosen> held;  // those that `bans` holds
    LoopGuard loops;
    AnswerState state;
    int64_t accepted = 0;          // tokens, by the scheduler
    std::optional<EndReason> why;  // kStopped has another name
    std::optional<ErrorBody> error;
    bool filtered = false;  // the next token went through `bans`
    size_t forced = 0;      // tokens of the end of thinking that were forced
    bool begun = false;
    bool has_line = false;
    std::optional<Clock::time_point> first_token, last_token;
  };

  Answer(Api& api, std::shared_ptr<Exchange> exchange, AnswerPlan plan, AnswerHead head);

  void submit();
  Request request_of(size_t index);
  void gone();

  int32_t forced_token(Choice& choice);
  std::optional<StepBack> judge(size_t index, int32_t token, bool ends);
  bool on_token(size_t index, int32_t token, std::span<const float> logits);
  void on_progress(size_t index, const PromptProgress& progress);
  void on_end(size_t index, const Outcome& outcome);

  bool late(Choice& choice, Clock::time_point now) const;
  bool deliver(Choice& choice, Chosen token);
  bool deliver_free(Choice& choice);
  void deliver_rest(Choice& choice);
  static EndReason reason_of(const Choice& choice, const Outcome& outcome);

  bool send_piece(size_t index);
  void end_choice(size_t index);
  void end_all();
  void write_whole(std::vector<AnswerState> answers);
  void fail_all(const ErrorBody& error);
  void fail_all(const std::exception& error);
  void cancel_all();

  bool send(const nlohmann::ordered_json& chunk);
  bool write(std::string_view event);

  bool streams() const { return plan_.options.stream; }

  Api& api_;
  std::shared_ptr<Exchange> exchange_;
  AnswerPlan plan_;
  BudgetShare room_;
  AnswerWriter writer_;
  Clock::time_point started_ = Clock::now();
  std::vector<Choice> choices_;
  size_t open_ = 0;  // of them, those that have not ended

  std::mutex mutex_;  // of all below
  std::vector<RequestId> ids_;
  bool begun_ = false;  // the stream
  bool over_ = false;   // nothing more goes to the client
};

}  // namespace braid
