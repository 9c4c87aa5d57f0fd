// The clients of `braid load`: threads that take sessions and ask for their turns one after the
// other, each over a connection of its own.
#pragma once

#include "client/http_client.h"
#include "client/openai_stream.h"
#include "tools/load_trace.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace braid {

struct LoadOptions {
  HttpTarget target;
  int clients = 1;
  double duration = 0;  // seconds after which nothing is begun; 0: until there is no more
  bool timed = false;   // requests wait for their "at"
  std::string model;    // for bodies that name none
  nlohmann::ordered_json more = nlohmann::ordered_json::object();  // fields for every body
};

// What became of a request.
struct LoadResult {
  int64_t number = 0, session = 0, turn = 0;
  std::string request;         // its checksum
  double start = 0;            // seconds since the run began, as are the times of pieces
  double late = 0;             // after its "at", when requests are timed
  std::vector<double> pieces;  // when parts of the answer came; control tokens have no text
  double end = 0;
  std::string text, reasoning, finish;
  std::vector<int32_t> ids;
  ServerUsage usage;
  std::string error, detail;  // its kind, and the first words about it; empty: answered
  bool stopped = false;       // by Ctrl-C
  bool asked = true;          // false: an answer that it holds was not given

  bool answered() const { return error.empty() && !stopped && asked; }
};

class LoadRun {
 public:
  // `source` is asked from all threads, one at a time. Throws Error when so many cannot be started.
  LoadRun(LoadOptions options, SessionSource source);
  ~LoadRun();  // stops
  LoadRun(const LoadRun&) = delete;
  LoadRun& operator=(const LoadRun&) = delete;

  struct Progress {
    int64_t answered = 0, failed = 0, running = 0, pieces = 0;  // pieces of answers
    double seconds = 0;
    bool over = false;
  };
  Progress progress() const;
  void stop() { stop_ = true; }
  // When it is over: by number. Throws what went wrong in the load generator itself.
  std::vector<LoadResult> results();

 private:
  struct Client {
    HttpClient http;
    double rests_until = 0;  // after it was refused
  };

  void be_client();
  void run_session(Client& client, const LoadSession& session);
  void ask(Client& client, bool chat, nlohmann::ordered_json body, LoadResult& result);
  double send(HttpClient& http, bool chat, nlohmann::ordered_json body, LoadResult& result);
  bool wait_until(double time) const;
  double now() const;
  bool time_is_up() const;
  void keep(LoadResult result);
  void join();

  LoadOptions options_;
  SessionSource source_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> running_{0}, pieces_{0};
  mutable std::mutex mutex_;  // of what follows, and the source
  std::vector<LoadResult> results_;
  int64_t answered_ = 0, failed_ = 0, clients_ = 0;
  std::exception_ptr thrown_;
  std::vector<std::thread> threads_;
};

}  // namespace braid
