#include "tools/load_run.h"

#include "client/event_stream.h"

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// What a client waits after it was refused, so that a server that is full is not asked on and on.
constexpr double kRestSeconds = 0.5, kLongestRest = 10;

std::string body_of(const LoadOptions& options, Json body) {
  if (!options.model.empty() && !body.contains("model")) body["model"] = options.model;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  body.update(options.more);
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void set_error(LoadResult& result, std::string kind, std::string detail) {
  result.error = std::move(kind);
  result.detail = std::move(detail);
}

// A stream of answers, as it comes.
class AnswerStream {
 public:
  AnswerStream(LoadResult& result, std::function<double()> now, std::atomic<int64_t>& pieces)
      : result_(result),
        now_(std::move(now)),
        pieces_(pieces),
        reader_([this](std::string_view data) { return take(data); }) {}

  bool feed(std::string_view piece) { return reader_.feed(piece); }
  bool done() const { return done_; }

 private:
  bool take(std::string_view data) {
    if (data == "[DONE]") {
      done_ = true;
      return true;
    }
    AnswerChunk chunk = parse_chunk(data);
    if (chunk.error) {
      set_error(result_, "error in the stream", *chunk.error);
      return true;
    }
    if (!chunk.empty()) {
      result_.pieces.push_back(now_());
      ++pieces_;
    }
    result_.text += chunk.text;
    result_.reasoning += chunk.reasoning;
    result_.ids.insert(result_.ids.end(), chunk.ids.begin(), chunk.ids.end());
    if (!chunk.finish.empty()) result_.finish = chunk.finish;
    result_.usage.take(chunk.usage);
    return true;
  }

  LoadResult& result_;
  std::function<double()> now_;
  std::atomic<int64_t>& pieces_;
  EventReader reader_;
  bool done_ = false;
};

}  // namespace

LoadRun::LoadRun(LoadOptions options, SessionSource source)
    : options_(std::move(options)), source_(std::move(source)) {
  clients_ = options_.clients;
  threads_.reserve(static_cast<size_t>(options_.clients));
  try {
    for (int i = 0; i < options_.clients; ++i) threads_.emplace_back([this] { be_client(); });
  } catch (const std::system_error& error) {
    stop_ = true;
    join();
    fail("only {} of {} clients could be started: {}: ask for fewer with --clients",
         threads_.size(), options_.clients, error.code().message());
  }
}

LoadRun::~LoadRun() {
  stop_ = true;
  join();
}

void LoadRun::join() {
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

double LoadRun::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

bool LoadRun::time_is_up() const {
  return stop_ || (options_.duration > 0 && now() >= options_.duration);
}

void LoadRun::be_client() {
  try {
    Client client{HttpClient(options_.target)};
    while (!time_is_up()) {
      std::optional<LoadSession> session;
      {
        const std::lock_guard lock(mutex_);
        session = source_();
      }
      if (!session) break;
      run_session(client, *session);
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!thrown_) thrown_ = std::current_exception();
    stop_ = true;
  }
  const std::lock_guard lock(mutex_);
  --clients_;
}

void LoadRun::run_session(Client& client, const LoadSession& session) {
  std::map<int64_t, GivenAnswer> answers;
  for (const AskedRequest& request : session) {
    LoadResult result;
    result.number = request.number;
    result.session = request.session;
    result.turn = request.turn;
    result.request = request.checksum();
    std::optional<Json> body;
    try {
      body = with_answers(request.body, answers);
      result.asked = body.has_value();
    } catch (const Error& error) {
      set_error(result, "cannot be asked", error.what());
    }
    if (body) {
      const double begins = options_.timed ? request.at : 0;
      if (!wait_until(std::max(begins, client.rests_until))) return;
      if (options_.timed) result.late = now() - request.at;
      ask(client, request.chat(), std::move(*body), result);
    }
    if (result.answered()) answers[request.turn] = {result.text, result.ids};
    keep(std::move(result));
    if (time_is_up()) return;
  }
}

// False when the run ends before.
bool LoadRun::wait_until(double time) const {
  while (!time_is_up()) {
    const double left = time - now();
    if (left <= 0) return true;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.1)));
  }
  return false;
}

void LoadRun::ask(Client& client, bool chat, Json body, LoadResult& result) {
  double rest = kRestSeconds;
  result.start = now();
  ++running_;
  try {
    rest = send(client.http, chat, std::move(body), result);
  } catch (const HttpError& error) {
    set_error(result, name_of(error.failure()), error.what());
  } catch (const Error& error) {
    set_error(result, "not understood", error.what());
  }
  --running_;
  result.end = now();
  if (!result.error.empty()) client.rests_until = result.end + rest;
}

// Gives back for how long the client should rest when the request failed.
double LoadRun::send(HttpClient& http, bool chat, Json body, LoadResult& result) {
  AnswerStream stream(
      result, [this] { return now(); }, pieces_);
  HttpCall call;
  call.method = "POST";
  call.path = chat ? "/v1/chat/completions" : "/v1/completions";
  call.body = body_of(options_, std::move(body));
  call.on_piece = [&](std::string_view piece) { return stream.feed(piece); };
  call.stop = [this] { return stop_.load(); };
  const HttpReply reply = http.send(call);
  result.stopped = reply.stopped;
  if (reply.stopped || !result.error.empty()) return kRestSeconds;
  if (reply.status / 100 != 2) {
    const ServerError error = parse_server_error(reply.body);
    set_error(result,
              fmt::format("HTTP {}{}{}", reply.status, error.code.empty() ? "" : " ", error.code),
              error.message);
    return std::clamp(reply.retry_after.value_or(0), kRestSeconds, kLongestRest);
  }
  if (!stream.done())
    set_error(result, "broken off", "the stream ended before [DONE]");
  else if (result.pieces.empty() && result.usage.answer.value_or(0) == 0)
    set_error(result, "empty answer", "the stream had no text and told of no tokens");
  return kRestSeconds;
}

void LoadRun::keep(LoadResult result) {
  const std::lock_guard lock(mutex_);
  if (!result.error.empty()) ++failed_;
  if (result.answered()) ++answered_;
  results_.push_back(std::move(result));
}

LoadRun::Progress LoadRun::progress() const {
  const std::lock_guard lock(mutex_);
  Progress p;
  p.failed = failed_;
  p.answered = answered_;
  p.running = running_;
  p.pieces = pieces_;
  p.seconds = now();
  p.over = clients_ == 0;
  return p;
}

std::vector<LoadResult> LoadRun::results() {
  join();
  if (thrown_) std::rethrow_exception(thrown_);
  std::sort(results_.begin(), results_.end(),
            [](const LoadResult& a, const LoadResult& b) { return a.number < b.number; });
  return std::move(results_);
}

}  // namespace braid
