#include "tools/load_run.h"

#include "client/event_stream.h"

#include <algorithm>
#include <map>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// What a client waits after it was refused, so that a server that is full is not asked on and on.
constexpr double kPauseSeconds = 0.5, kLongestPause = 10;

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
  for (int i = 0; i < options_.clients; ++i) threads_.emplace_back([this] { client(); });
}

LoadRun::~LoadRun() {
  stop_ = true;
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

double LoadRun::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

bool LoadRun::time_is_up() const {
  return stop_ || (options_.duration > 0 && now() >= options_.duration);
}

void LoadRun::client() {
  try {
    HttpClient http(options_.target);
    while (!time_is_up()) {
      std::optional<LoadSession> session;
      {
        const std::lock_guard lock(mutex_);
        session = source_();
      }
      if (!session) break;
      run_session(http, *session);
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!thrown_) thrown_ = std::current_exception();
    stop_ = true;
  }
  const std::lock_guard lock(mutex_);
  --clients_;
}

void LoadRun::run_session(HttpClient& http, const LoadSession& session) {
  std::map<int64_t, GivenAnswer> answers;
  for (const AskedRequest& request : session) {
    LoadResult result;
    result.number = request.number;
    result.session = request.session;
    result.turn = request.turn;
    result.request = request.checksum();
    if (!wait_for(request, result)) return;
    result.start = now();
    ++running_;
    try {
      Json body = with_answers(request.body, [&](int64_t turn) {
        const auto found = answers.find(turn);
        return found == answers.end() ? nullptr : &found->second;
      });
      ask(http, request.chat(), std::move(body), result);
    } catch (const HttpError& error) {
      set_error(result, name_of(error.failure()), error.what());
    } catch (const Error& error) {
      set_error(result, "not understood", error.what());
    }
    --running_;
    result.end = now();
    if (result.answered()) answers[request.turn] = {result.text, result.ids};
    const bool failed = !result.error.empty();
    keep(std::move(result));
    if (failed) pause(kPauseSeconds);
    if (stop_) return;
  }
}

// False when the time is up before the request's has come.
bool LoadRun::wait_for(const AskedRequest& request, LoadResult& result) {
  if (options_.timed) {
    while (now() < request.at && !time_is_up()) pause(request.at - now());
    result.late = now() - request.at;
  }
  return !time_is_up();
}

void LoadRun::pause(double seconds) const {
  const double end = now() + seconds;
  for (double left = seconds; left > 0 && !stop_; left = end - now())
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.1)));
}

void LoadRun::ask(HttpClient& http, bool chat, Json body, LoadResult& result) {
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
  if (reply.stopped || !result.error.empty()) return;
  if (reply.status / 100 != 2) {
    const ServerError error = parse_server_error(reply.body);
    set_error(result,
              fmt::format("HTTP {}{}{}", reply.status, error.code.empty() ? "" : " ", error.code),
              error.message);
    if (reply.retry_after) pause(std::min(*reply.retry_after, kLongestPause) - kPauseSeconds);
  } else if (!stream.done()) {
    set_error(result, "broken off", "the stream ended before [DONE]");
  } else if (result.pieces.empty() && result.usage.answer.value_or(0) == 0) {
    set_error(result, "empty answer", "the stream had no text and told of no tokens");
  }
}

void LoadRun::keep(LoadResult result) {
  const std::lock_guard lock(mutex_);
  if (!result.error.empty()) ++failed_;
  results_.push_back(std::move(result));
}

LoadRun::Progress LoadRun::progress() const {
  const std::lock_guard lock(mutex_);
  Progress p;
  p.failed = failed_;
  p.answered = static_cast<int64_t>(results_.size()) - failed_;
  p.running = running_;
  p.pieces = pieces_;
  p.seconds = now();
  p.over = clients_ == 0;
  return p;
}

std::vector<LoadResult> LoadRun::results() {
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
  if (thrown_) std::rethrow_exception(thrown_);
  std::sort(results_.begin(), results_.end(),
            [](const LoadResult& a, const LoadResult& b) { return a.number < b.number; });
  return std::move(results_);
}

}  // namespace braid
