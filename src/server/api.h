// The API of a served model: OpenAI's routes and those of llama-server that Braid has.
//
// Handlers run on the HTTP server's threads and hand their exchanges to the scheduler's callbacks.
// An Api lives as long as its model: until the last handler has returned and the scheduler has shut
// down.
#pragma once

#include "server/budget.h"
#include "server/exchange.h"
#include "server/routes.h"
#include "server/served_model.h"
#include "server/worker_pool.h"
#include "text/chat_tokens.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid {

// The tokens that part a text to be filled in; ids of the vocabulary.
struct FimTokens {
  int32_t prefix, suffix, middle;
  std::optional<int32_t> padding, repo, separator;
};

struct ApiOptions {
  double ping_seconds = 5;     // a comment when a stream has said nothing for so long
  bool keep_volatile = false;  // headers that change with each request stay as they are
  // Of prompts and what is said about their answers, for all requests that wait and run.
  size_t plans_bytes = size_t{256} << 20;
  std::function<void(std::string_view)> problem{};  // one line for the log, from any thread
};

// Whose cache serves a request: each API key has its own (Request::realm).
inline int realm_of_key(int key) { return key + 1; }  // its place among the keys; -1: none
inline int realm_of(const HttpRequest& request) { return realm_of_key(request.key); }

class Api {
 public:
  explicit Api(const ServedModel& model, const ApiOptions& options = ApiOptions());

  // All routes below; `this` outlives them.
  void add_routes(Routes& routes);

  const ServedModel& model() const { return model_; }
  const ChatEncoder& encoder() const { return encoder_; }
  CallArguments call_arguments() const { return call_arguments_; }
  const std::string& fingerprint() const { return fingerprint_; }
  const std::optional<FimTokens>& fim() const { return fim_; }
  // How the model ends its thoughts.
  const std::vector<int32_t>& end_of_thinking() const { return end_of_thinking_; }
  const ApiOptions& options() const { return options_; }
  // Of ApiOptions::plans_bytes. Throws ApiError: 503 where there is no room now, 400 where there
  // never is.
  BudgetShare room_for_plan(size_t bytes) const;

  // Runs what takes long on a thread of its own; before the Api goes, all of it. What it throws
  // goes to the log.
  void later(std::shared_ptr<Exchange> exchange, std::function<void()> job);
  // The same for what waits until requests have ended, or the scheduler shuts down.
  void in_time(std::shared_ptr<Exchange> exchange, std::function<void()> job);

  // Tells the log of a request that failed by no fault of its client's.
  void failed(const HttpRequest& request, std::string_view what) const;

 private:
  void run_on(WorkerPool& pool, std::shared_ptr<Exchange> exchange, std::function<void()> job);

  const ServedModel& model_;
  ApiOptions options_;
  ChatEncoder encoder_;
  CallArguments call_arguments_;
  std::string fingerprint_;
  std::optional<FimTokens> fim_;
  std::vector<int32_t> end_of_thinking_;
  std::shared_ptr<Budget> plans_;
  WorkerPool writer_{1}, waiter_{1};
};

}  // namespace braid
