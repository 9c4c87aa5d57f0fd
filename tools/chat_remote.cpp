#include "tools/chat_remote.h"

#include "client/event_stream.h"
#include "client/openai_stream.h"
#include "tools/client_options.h"
#include "tools/sampler_json.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

// A stream on its way to the listener.
class Incoming {
 public:
  explicit Incoming(const RemoteChatListener& listener)
      : listener_(listener), reader_([this](std::string_view data) { return take(data); }) {}

  bool feed(std::string_view piece) { return reader_.feed(piece); }
  bool done() const { return done_; }

  void finish() {
    AnswerText rest;
    splitter_.finish(rest);
    show(rest);
  }

  ChatReply reply(bool stopped) const {
    ChatReply reply;
    reply.ended = stopped               ? Ended::kStopped
                  : finish_ == "length" ? Ended::kLength
                                        : Ended::kEndToken;
    WriteStats& stats = reply.stats;
    stats.prompt = usage_.prompt.value_or(0);
    stats.reused = usage_.cached.value_or(0);
    stats.written = usage_.answer.value_or(pieces_);
    if (!first_) return reply;
    stats.first_token = stats.prefill = seconds_between(began_, *first_);
    stats.decode = seconds_between(*first_, last_);
    return reply;
  }

 private:
  bool take(std::string_view data) {
    if (data == "[DONE]") return done_ = true;
    const AnswerChunk chunk = parse_chunk(data);
    if (chunk.error) fail("The server broke off the answer: {}", *chunk.error);
    usage_.take(chunk.usage);
    if (!chunk.finish.empty()) finish_ = chunk.finish;
    if (chunk.progress && listener_.progress)
      listener_.progress(chunk.progress->done, chunk.progress->total);
    if (chunk.empty()) return true;
    last_ = Clock::now();
    if (pieces_++ == 0) first_ = last_;
    AnswerText piece;
    piece.thinking = chunk.reasoning;
    parted_ = parted_ || !chunk.reasoning.empty();
    // Servers that part thinking themselves may speak of <think> in a content.
    if (parted_)
      piece.content = chunk.text;
    else
      splitter_.feed(chunk.text, piece);
    show(piece);
    return true;
  }
  void show(const AnswerText& piece) const {
    if (listener_.text) listener_.text(piece);
  }

  const RemoteChatListener& listener_;
  EventReader reader_;
  ThinkingSplitter splitter_;
  ServerUsage usage_;
  std::string finish_;
  int64_t pieces_ = 0;
  bool done_ = false, parted_ = false;
  Clock::time_point began_ = Clock::now(), last_ = began_;
  std::optional<Clock::time_point> first_;
};

[[noreturn]] void refused(const HttpReply& reply) {
  const ServerError error = parse_server_error(reply.body);
  fail("The server refuses (status {}): {}", reply.status, error.message);
}

}  // namespace

RemoteChat::RemoteChat(RemoteChatOptions options)
    : options_(std::move(options)), http_(options_.target) {
  const std::string served = served_model(http_);
  if (options_.model.empty()) options_.model = served;
  HttpCall call;
  call.path = "/props";
  const HttpReply reply = http_.send(call);
  const Json props = Json::parse(reply.body, nullptr, false);
  const auto settings = props.is_object() ? props.find("default_generation_settings") : props.end();
  if (reply.status != 200 || settings == props.end() || !settings->is_object()) return;
  local_kind_ = true;
  const auto context = settings->find("n_ctx");
  if (context != settings->end() && context->is_number_integer())
    context_ = context->get<int64_t>();
}

Json RemoteChat::body(const Json& messages, const Json& extra, const ChatSettings& settings) const {
  Json body = sampler_json(settings.sampler);
  if (!options_.model.empty()) body["model"] = options_.model;
  body["messages"] = messages;
  // Their templates know what to do with earlier thoughts; others refuse the field.
  if (!local_kind_)
    for (Json& message : body["messages"]) message.erase("reasoning_content");
  if (!extra.empty()) body["chat_template_kwargs"] = extra;
  if (!options_.tools.is_null()) body["tools"] = options_.tools;
  if (!options_.stops.empty()) body["stop"] = options_.stops;
  if (options_.ignore_ends) body["ignore_eos"] = true;
  if (settings.n_predict >= 0) body["max_tokens"] = settings.n_predict;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  if (local_kind_) body["return_progress"] = true;
  return body;
}

ChatReply RemoteChat::answer(const Json& messages, const Json& extra, const ChatSettings& settings,
                             const RemoteChatListener& listener) {
  Incoming incoming(listener);
  HttpCall call;
  call.method = "POST";
  call.path = "/v1/chat/completions";
  call.body = body(messages, extra, settings).dump(-1, ' ', false, Json::error_handler_t::replace);
  call.on_piece = [&](std::string_view piece) { return incoming.feed(piece); };
  call.stop = listener.stop;
  const HttpReply reply = http_.send(call);
  if (!reply.stopped && reply.status / 100 != 2) refused(reply);
  if (!reply.stopped && !incoming.done()) fail("The server ended the answer halfway.");
  incoming.finish();
  return incoming.reply(reply.stopped);
}

}  // namespace braid
