#include "server/answer.h"

#include "server/api_error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <random>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::string new_id(AnswerForm form) {
  std::random_device random;
  return fmt::format("{}{:08x}{:08x}{:08x}", form == AnswerForm::kChat ? "chatcmpl-" : "cmpl-",
                     random(), random(), random());
}

std::string event_of(const Json& json) {
  return fmt::format("data: {}\n\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// Of several choices each has a seed of its own.
int64_t seed_of(int64_t wanted, size_t choice) {
  if (wanted < 0) return -1;
  const uint64_t sum = static_cast<uint64_t>(wanted) + choice;
  return static_cast<int64_t>(sum & static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

// What a client hears of an answer that ended before it began; nothing for other ends.
std::optional<ErrorBody> error_of(const Outcome& outcome, bool begun) {
  const auto error = [](int status, std::string message, std::string code) {
    return ErrorBody{status, std::move(message), {}, {}, std::move(code)};
  };
  if (outcome.reason == EndReason::kFailed)
    return error(500, "the request failed: " + outcome.error, "request_failed");
  if (begun) return std::nullopt;
  if (outcome.reason == EndReason::kDeadline)
    return error(504, "the time given with \"timeout\" is over, and no token was there yet",
                 "deadline_exceeded");
  if (outcome.reason == EndReason::kHandedBack)
    return error(503, "the server shuts down", "shutting_down");
  return std::nullopt;
}

}  // namespace

void Answer::start(Api& api, std::shared_ptr<Exchange> exchange, AnswerPlan plan,
                   BudgetShare room) {
  AnswerHead head{new_id(plan.form), std::chrono::duration_cast<std::chrono::seconds>(
                                         std::chrono::system_clock::now().time_since_epoch())
                                         .count()};
  const std::shared_ptr<Answer> answer(
      new Answer(api, std::move(exchange), std::move(plan), std::move(head)));
  answer->room_ = std::move(room);
  answer->submit();
}

Answer::Answer(Api& api, std::shared_ptr<Exchange> exchange, AnswerPlan plan, AnswerHead head)
    : api_(api),
      exchange_(std::move(exchange)),
      plan_(std::move(plan)),
      writer_(api_, plan_, std::move(head)) {
  for (const PromptPlan& prompt : plan_.prompts) {
    const ReaderOptions options{
        plan_.options.stops,    plan_.form == AnswerForm::kChat,          prompt.opens_thinking,
        plan_.options.logprobs, api_.model().sampler_vocabulary.n_tokens, plan_.options.indent};
    for (int i = 0; i < plan_.options.best_of; ++i) {
      Choice& choice = choices_.emplace_back(api_.model().tokenizer, options);
      if (const Bans& bans = plan_.options.bans; bans.texts)
        choice.bans.emplace(bans.texts, api_.model().tokenizer, bans.options);
    }
  }
  open_ = choices_.size();
}

// ---- To the scheduler

Request Answer::request_of(size_t index) {
  const auto each = static_cast<size_t>(plan_.options.best_of);
  const PromptPlan& prompt = plan_.prompts[index / each];
  Request request;
  request.prompt =
      SharedTokens(std::shared_ptr<const std::vector<int32_t>>(shared_from_this(), &prompt.ids));
  request.messages = prompt.messages;
  request.sampling = plan_.options.sampling;
  request.sampling.seed = seed_of(plan_.options.sampling.seed, index % each);
  request.max_tokens = plan_.options.max_tokens;
  request.may_be_shorter = plan_.options.own_length;
  request.end_tokens = api_.model().end_tokens;
  request.end_tokens.insert(request.end_tokens.end(), plan_.more_ends.begin(),
                            plan_.more_ends.end());
  request.priority = plan_.options.priority;
  request.realm = realm_of(exchange_->request());
  if (plan_.options.timeout)
    request.deadline = exchange_->request().arrived +
                       std::chrono::duration_cast<Clock::duration>(*plan_.options.timeout);
  const std::shared_ptr<Answer> self = shared_from_this();
  if (plan_.options.thinking_budget >= 0 || plan_.options.loops.thoughts > 0)
    request.forced = [self, index] { return self->forced_token(self->choices_[index]); };
  request.on_token = [self, index](int32_t token, std::span<const float> logits) {
    return self->on_token(index, token, logits);
  };
  if (plan_.options.bans.texts)
    request.judge = [self, index](int32_t token, bool ends) {
      return self->judge(index, token, ends);
    };
  if (plan_.options.progress)
    request.on_progress = [self, index](const PromptProgress& p) { self->on_progress(index, p); };
  request.on_end = [self, index](const Outcome& outcome) { self->on_end(index, outcome); };
  return request;
}

void Answer::submit() {
  exchange_->when_gone([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->gone();
  });
  Scheduler& scheduler = api_.model().scheduler;
  try {
    for (size_t i = 0; i < choices_.size(); ++i) {
      const RequestId id = scheduler.submit(request_of(i));
      bool over = false;
      {
        const std::lock_guard lock(mutex_);
        ids_.push_back(id);
        over = over_;
      }
      if (over) return cancel_all();
    }
  } catch (const std::exception& error) {
    return fail_all(error);
  }
  if (streams()) write({});
}

void Answer::gone() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  cancel_all();
}

void Answer::cancel_all() {
  std::vector<RequestId> ids;
  {
    const std::lock_guard lock(mutex_);
    ids = ids_;
  }
  for (const RequestId id : ids) api_.model().scheduler.cancel(id);
}

// ---- From the scheduler

// When the budget is used up, or the thoughts turn in circles: their end, token by token.
int32_t Answer::forced_token(Choice& choice) {
  const std::vector<int32_t>& end = api_.end_of_thinking();
  const bool under_way = choice.forced > 0 && choice.forced < end.size();
  if (under_way) return end[choice.forced++];
  if (choice.forced > 0 || !choice.reader.thinking() || !choice.held.empty()) return -1;
  const int64_t budget = plan_.options.thinking_budget;
  const bool used_up = budget >= 0 && choice.reader.thinking_tokens() >= budget;
  if (!used_up && !choice.loops.loops(plan_.options.loops.thoughts)) return -1;
  choice.state.thoughts_ended = used_up ? "budget" : "loop";
  return end[choice.forced++];
}

// Bans are for the content, as stop strings are. While they hold tokens back, what follows waits
// behind those, whatever it is.
std::optional<StepBack> Answer::judge(size_t index, int32_t token, bool ends) {
  Choice& choice = choices_[index];
  const bool opens = choice.reader.at_start() && api_.model().tokenizer.bytes(token) == "<think>";
  choice.filtered = !choice.held.empty() || (!choice.reader.thinking() && !opens);
  if (!choice.filtered) return std::nullopt;
  BanFilter& bans = *choice.bans;
  std::vector<int32_t> ids;
  try {
    ids = ends ? bans.finish() : bans.token(token);
  } catch (const Error& error) {
    choice.error = ErrorBody{400, error.what(), {}, "banned_regex", "regex_too_slow"};
    return StepBack{true, 0, {}};
  }
  if (ids.empty()) return std::nullopt;
  choice.held.erase(choice.held.begin() + static_cast<ptrdiff_t>(bans.held()), choice.held.end());
  if (bans.gave_up()) {
    choice.why = EndReason::kBanned;
    return StepBack{true, 0, {}};
  }
  const auto n = static_cast<int64_t>(ids.size());
  StepBack back{false, choice.accepted - n + (ends ? 0 : 1), {}};
  choice.accepted = back.keep;
  const int64_t most = bans.options().banned_n;
  for (int64_t i = 0; i < n && (most < 0 || i < most); ++i)
    back.biases.push_back({back.keep + i, ids[static_cast<size_t>(i)], bans.options().bias});
  return back;
}

bool Answer::on_token(size_t index, int32_t token, std::span<const float> logits) {
  Choice& choice = choices_[index];
  const auto now = Clock::now();
  if (choice.last_token)
    api_.model().metrics.between_tokens(
        std::chrono::duration<double>(now - *choice.last_token).count());
  choice.last_token = now;
  ++choice.accepted;
  Chosen chosen{token, choice.reader.note(token, logits), 0};
  if (plan_.options.best_of > plan_.options.n)
    chosen.logprob =
        logprob(logits.first(static_cast<size_t>(api_.model().sampler_vocabulary.n_tokens)), token);
  bool goes_on = true;
  if (std::exchange(choice.filtered, false)) {
    choice.held.push_back(std::move(chosen));
    goes_on = deliver_free(choice);
  } else {
    goes_on = deliver(choice, std::move(chosen));
  }
  if (goes_on && late(choice, now)) {
    choice.why = EndReason::kDeadline;
    goes_on = false;
  }
  return (!streams() || send_piece(index)) && goes_on;
}

// An editor wants what there is by then, but at least a line.
bool Answer::late(Choice& choice, Clock::time_point now) const {
  if (plan_.options.predict_ms == 0) return false;
  if (!choice.first_token) choice.first_token = now;
  choice.has_line = choice.has_line || choice.state.text.content.find('\n') != std::string::npos;
  return choice.has_line &&
         now - *choice.first_token >= std::chrono::milliseconds(plan_.options.predict_ms);
}

// What is no longer held by the bans. False: the answer has ended with it.
bool Answer::deliver_free(Choice& choice) {
  while (choice.held.size() > choice.bans->held()) {
    Chosen chosen = std::move(choice.held.front());
    choice.held.pop_front();
    if (deliver(choice, std::move(chosen))) continue;
    choice.held.clear();
    return false;
  }
  return true;
}

bool Answer::deliver(Choice& choice, Chosen chosen) {
  ++choice.state.tokens;
  choice.state.logprobs += chosen.logprob;
  if (plan_.options.tokens) choice.state.text.tokens.push_back(chosen.id);
  const bool thought = choice.reader.thinking();
  const bool goes_on =
      choice.reader.noted_token(chosen.id, std::move(chosen.note), choice.state.text);
  const bool thinks = choice.reader.thinking();
  if (thinks != thought) choice.loops.reset();
  choice.loops.accept(chosen.id);
  if (choice.reader.outdented()) choice.why = EndReason::kIndent;
  if (!goes_on || thinks || !choice.loops.loops(plan_.options.loops.content)) return goes_on;
  choice.why = EndReason::kLoop;
  return false;
}

// The answer has ended: what is held can become no more than it is.
void Answer::deliver_rest(Choice& choice) {
  if (choice.held.empty() || choice.error) return;
  try {
    const auto n = choice.bans->finish().size();
    choice.held.erase(choice.held.end() - static_cast<ptrdiff_t>(n), choice.held.end());
  } catch (const Error& error) {
    choice.error = ErrorBody{400, error.what(), {}, "banned_regex", "regex_too_slow"};
    return;
  }
  while (!choice.held.empty()) {
    Chosen chosen = std::move(choice.held.front());
    choice.held.pop_front();
    if (!deliver(choice, std::move(chosen))) choice.held.clear();
  }
}

void Answer::on_progress(size_t index, const PromptProgress& progress) {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  send(writer_.progress_chunk(static_cast<int64_t>(index), progress, seconds));
}

// As the client hears it: the scheduler knows of neither texts nor loops.
EndReason Answer::reason_of(const Choice& choice, const Outcome& outcome) {
  if (choice.error) return EndReason::kFailed;
  if (outcome.reason == EndReason::kStopped) return choice.why.value_or(EndReason::kStopped);
  if (outcome.reason == EndReason::kFailed || outcome.reason == EndReason::kCancelled)
    return outcome.reason;
  // A stop string may come out with tokens that were held to the end.
  return choice.state.stopped_by.empty() ? outcome.reason : EndReason::kStopped;
}

void Answer::on_end(size_t index, const Outcome& outcome) {
  try {
    Choice& choice = choices_[index];
    deliver_rest(choice);
    choice.reader.finish(choice.state.text);
    choice.state.outcome = outcome;
    choice.state.stopped_by = choice.reader.stopped_by();
    choice.state.outcome.reason = reason_of(choice, outcome);
    api_.model().metrics.ended(choice.state.outcome);
    if (choice.error) return fail_all(*choice.error);
    if (choice.bans) {
      choice.state.rewinds = choice.bans->rewinds();
      choice.state.taken_back = choice.bans->taken_back();
    }
    choice.state.outcome.tokens.clear();
    choice.state.thinking_tokens = choice.reader.thinking_tokens();
    if (outcome.reason == EndReason::kFailed) api_.failed(exchange_->request(), outcome.error);
    if (const auto error = error_of(outcome, choice.state.tokens > 0)) return fail_all(*error);
    end_choice(index);
  } catch (const std::exception& error) {
    fail_all(error);
  }
}

void Answer::end_choice(size_t index) {
  const auto told = static_cast<int64_t>(index);
  if (streams() && send_piece(index)) send(writer_.finish_chunk(told, choices_[index].state));
  if (--open_ == 0) end_all();
}

void Answer::end_all() {
  std::vector<AnswerState> answers;
  for (Choice& choice : choices_) answers.push_back(std::move(choice.state));
  if (streams()) {
    if (plan_.options.include_usage) send(writer_.usage_chunk(answers));
    if (plan_.form != AnswerForm::kInfill) write("data: [DONE]\n\n");
  }
  if (!streams()) return write_whole(std::move(answers));
  const std::lock_guard lock(mutex_);
  if (!std::exchange(over_, true)) exchange_->end();
}

// Not on the scheduler's thread: it may be long, and others wait for their tokens.
void Answer::write_whole(std::vector<AnswerState> answers) {
  api_.later(exchange_,
             [self = shared_from_this(),
              all = std::make_shared<const std::vector<AnswerState>>(std::move(answers))] {
               try {
                 const std::string body =
                     self->writer_.whole(*all).dump(-1, ' ', false, Json::error_handler_t::replace);
                 const std::lock_guard lock(self->mutex_);
                 if (!std::exchange(self->over_, true))
                   self->exchange_->reply(200, "application/json", body);
               } catch (const std::exception& error) {
                 self->fail_all(error);
               }
             });
}

// ---- To the client

// False when nobody reads any more.
bool Answer::send_piece(size_t index) {
  Choice& choice = choices_[index];
  const auto told = static_cast<int64_t>(index);
  if (!std::exchange(choice.begun, true)) {
    if (plan_.form == AnswerForm::kChat) send(writer_.role_chunk(told));
    const std::string& echo =
        plan_.prompts[index / static_cast<size_t>(plan_.options.best_of)].echo;
    if (!echo.empty()) send(writer_.piece_chunk(told, {{}, echo, {}, {}}));
  }
  const AnswerPiece piece = std::exchange(choice.state.text, {});
  if (piece.empty()) return write({});
  return send(writer_.piece_chunk(told, piece));
}

bool Answer::send(const Json& chunk) { return write(event_of(chunk)); }

// Begins the stream when it has not; an empty event does no more.
bool Answer::write(std::string_view event) {
  const std::lock_guard lock(mutex_);
  if (over_) return false;
  if (!std::exchange(begun_, true)) {
    exchange_->begin(200, "text/event-stream",
                     {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}});
    exchange_->ping(": ping\n\n", api_.options().ping_seconds);
  }
  if (event.empty()) return true;
  over_ = !exchange_->write(event);
  return !over_;
}

void Answer::fail_all(const std::exception& error) {
  const ErrorBody body = error_body_of(error);
  if (body.status == 500) api_.failed(exchange_->request(), error.what());
  fail_all(body);
}

void Answer::fail_all(const ErrorBody& error) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    if (begun_) {
      exchange_->write(fmt::format("data: {}\n\n", to_json(error)));
      exchange_->end();
    } else {
      reply_error(*exchange_, error);
    }
  }
  cancel_all();
}

}  // namespace braid
