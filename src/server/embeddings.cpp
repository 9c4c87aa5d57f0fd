#include "server/embeddings.h"

#include "server/api_error.h"
#include "server/prompt_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

namespace braid {
namespace {

using Json = Fields::Json;

std::string base64(std::span<const float> values) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto bytes = std::as_bytes(values);
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i)
      three = three << 8 | (at + i < bytes.size() ? std::to_integer<uint32_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      text += at + i <= bytes.size() ? kLetters[three >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

constexpr size_t kMostInputs = 2048;

// The embeddings of one HTTP request, so many of its inputs at a time that the queue has room for
// others. Callbacks keep it; the mutex guards what submit() touches, all else is for the
// scheduler's thread.
class Embedding : public std::enable_shared_from_this<Embedding> {
 public:
  Embedding(Api& api, std::shared_ptr<Exchange> exchange, std::vector<PromptPlan> inputs,
            bool as_base64, BudgetShare room)
      : room_(std::move(room)),
        api_(api),
        exchange_(std::move(exchange)),
        inputs_(std::move(inputs)),
        vectors_(inputs_.size()),
        open_(inputs_.size()),
        at_a_time_(static_cast<size_t>(std::clamp(api.model().scheduler.queue() / 4, 1, 64))),
        as_base64_(as_base64) {}

  void start();

 private:
  void submit_next();
  Request request_of(size_t index);
  void on_hidden(size_t index, std::span<const float> hidden);
  void on_end(const Outcome& outcome);
  void end(const ErrorBody* error);
  void cancel();

  BudgetShare room_;  // what the inputs take
  Api& api_;
  std::shared_ptr<Exchange> exchange_;
  std::vector<PromptPlan> inputs_;
  std::vector<std::vector<float>> vectors_;
  size_t open_;
  size_t at_a_time_;
  bool as_base64_;
  int64_t cached_ = 0;
  std::mutex mutex_;
  std::vector<RequestId> ids_;
  size_t next_ = 0;
  bool over_ = false;
};

void Embedding::start() {
  exchange_->when_gone([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->cancel();
  });
  const size_t n = std::min(at_a_time_, inputs_.size());
  for (size_t i = 0; i < n; ++i) submit_next();
}

void Embedding::submit_next() {
  size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    if (over_ || next_ == inputs_.size()) return;
    index = next_++;
  }
  try {
    const RequestId id = api_.model().scheduler.submit(request_of(index));
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      ids_.push_back(id);
      over = over_;
    }
    if (over) cancel();
  } catch (const std::exception& error) {
    const ErrorBody body = error_body_of(error);
    end(&body);
  }
}

Request Embedding::request_of(size_t index) {
  Request request;
  request.prompt = SharedTokens(
      std::shared_ptr<const std::vector<int32_t>>(shared_from_this(), &inputs_[index].ids));
  request.max_tokens = 0;
  request.realm = realm_of(exchange_->request());
  const auto self = shared_from_this();
  request.on_hidden = [self, index](std::span<const float> h) { self->on_hidden(index, h); };
  request.on_end = [self](const Outcome& outcome) { self->on_end(outcome); };
  return request;
}

void Embedding::on_hidden(size_t index, std::span<const float> hidden) {
  double squares = 0;
  for (const float x : hidden) squares += static_cast<double>(x) * x;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (const float x : hidden) vectors_[index].push_back(static_cast<float>(x * scale));
}

void Embedding::on_end(const Outcome& outcome) {
  api_.model().metrics.ended(outcome);
  cached_ += outcome.cached.usable;
  if (outcome.reason != EndReason::kMaxTokens) {
    const bool closing = outcome.reason == EndReason::kHandedBack;
    if (outcome.reason == EndReason::kFailed) api_.failed(exchange_->request(), outcome.error);
    const ErrorBody error{closing ? 503 : 500,
                          closing ? "the server shuts down" : "it failed: " + outcome.error,
                          {},
                          {},
                          closing ? "shutting_down" : "request_failed"};
    return end(&error);
  }
  if (--open_ == 0)
    return api_.later(exchange_, [self = shared_from_this()] { self->end(nullptr); });
  submit_next();
}

void Embedding::end(const ErrorBody* error) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
  }
  if (error) {
    reply_error(*exchange_, *error);
    return cancel();
  }
  Json data = Json::array();
  size_t tokens = 0;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    tokens += inputs_[i].ids.size();
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", as_base64_ ? Json(base64(vectors_[i])) : Json(vectors_[i])}});
  }
  const Json json = {{"object", "list"},
                     {"data", std::move(data)},
                     {"model", api_.model().name},
                     {"usage",
                      {{"prompt_tokens", tokens},
                       {"total_tokens", tokens},
                       {"prompt_tokens_details", {{"cached_tokens", cached_}}}}}};
  reply_json(*exchange_, json);
}

void Embedding::cancel() {
  std::vector<RequestId> ids;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    ids = ids_;
  }
  for (const RequestId id : ids) api_.model().scheduler.cancel(id);
}

}  // namespace

void embeddings(Api& api, const std::shared_ptr<Exchange>& exchange) {
  answering(*exchange, [&] {
    if (!api.model().embeds)
      throw ApiError({.status = 501,
                      .message = "this server gives no embeddings: start it with --embeddings",
                      .type = "not_implemented_error",
                      .param = {},
                      .code = "not_implemented"});
    const Json body = parse_body(exchange->request().body);
    Fields fields(body);
    check_model(fields, api.model());
    AnswerPlan plan;
    plan.prompts = read_prompts(fields, "input", api, kMostInputs);
    const std::string format = fields.text("encoding_format").value_or("float");
    if (format != "float" && format != "base64")
      refuse("encoding_format", "encoding_format is \"{}\"; it may be \"float\" or \"base64\"",
             format);
    fields.pass_over("user");
    fields.finish();
    check_each_prompt(plan, api.model(), "input");
    BudgetShare room = api.room_for_plan(bytes_of(plan));
    std::make_shared<Embedding>(api, exchange, std::move(plan.prompts), format == "base64",
                                std::move(room))
        ->start();
  });
}

}  // namespace braid
