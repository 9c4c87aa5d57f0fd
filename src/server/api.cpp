#include "server/api.h"

#include "base/checksum.h"
#include "server/access_log.h"
#include "server/api_error.h"
#include "server/llama_routes.h"
#include "server/openai_routes.h"

#include <fmt/format.h>

namespace braid {
namespace {

// Changes when what makes an answer may have changed.
std::string fingerprint_of(const ServedModel& model) {
  const std::string what =
      fmt::format("{} {} {} {}", model.path, model.context, model.tokenizer.n_tokens(),
                  model.chat_template ? model.chat_template->source() : "");
  return fmt::format("braid-{:016x}", checksum64(std::as_bytes(std::span(what))));
}

std::optional<int32_t> token_of(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text, {.add_special = false, .parse_special = true});
  if (ids.size() != 1 || tokenizer.bytes(ids[0]) != text) return std::nullopt;
  return ids[0];
}

std::optional<FimTokens> fim_of(const Tokenizer& tokenizer) {
  const auto prefix = token_of(tokenizer, "<|fim_prefix|>"),
             suffix = token_of(tokenizer, "<|fim_suffix|>"),
             middle = token_of(tokenizer, "<|fim_middle|>");
  if (!prefix || !suffix || !middle) return std::nullopt;
  return FimTokens{*prefix,
                   *suffix,
                   *middle,
                   token_of(tokenizer, "<|fim_pad|>"),
                   token_of(tokenizer, "<|repo_name|>"),
                   token_of(tokenizer, "<|file_sep|>")};
}

}  // namespace

Api::Api(const ServedModel& model, const ApiOptions& options)
    : model_(model),
      options_(options),
      encoder_(model.tokenizer),
      call_arguments_(model.chat_template ? wanted_call_arguments(*model.chat_template)
                                          : CallArguments::kAsGiven),
      fingerprint_(fingerprint_of(model)),
      fim_(fim_of(model.tokenizer)),
      end_of_thinking_(
          model.tokenizer.encode("\n</think>\n\n", {.add_special = false, .parse_special = true})),
      plans_(std::make_shared<Budget>(options.plans_bytes)) {}

BudgetShare Api::room_for_plan(size_t bytes) const {
  if (bytes > options_.plans_bytes)
    throw ApiError(400,
                   fmt::format("prompts, answers and logit_bias of this request would take some {} "
                               "bytes in memory, {} are there for all: ask for fewer answers at a "
                               "time",
                               bytes, options_.plans_bytes),
                   "request_too_large");
  BudgetShare share(plans_);
  if (!share.grow(bytes))
    throw ApiError(503,
                   "requests that wait and run have all the memory that there is for prompts: try "
                   "again",
                   "overloaded");
  return share;
}

void Api::add_routes(Routes& routes) {
  add_openai_routes(*this, routes);
  add_llama_routes(*this, routes);
}

void Api::later(std::shared_ptr<Exchange> exchange, std::function<void()> job) {
  run_on(writer_, std::move(exchange), std::move(job));
}

void Api::in_time(std::shared_ptr<Exchange> exchange, std::function<void()> job) {
  run_on(waiter_, std::move(exchange), std::move(job));
}

void Api::run_on(WorkerPool& pool, std::shared_ptr<Exchange> exchange, std::function<void()> job) {
  pool.add([this, exchange = std::move(exchange), job = std::move(job)] {
    try {
      job();
    } catch (const std::exception& error) {
      failed(exchange->request(), error.what());
    }
  });
}

void Api::failed(const HttpRequest& request, std::string_view what) const {
  if (options_.problem) options_.problem(problem_line(request, what));
}

}  // namespace braid
