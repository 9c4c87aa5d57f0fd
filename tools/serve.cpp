// braid serve: a model behind HTTP, for many clients at a time.
#include "base/check.h"
#include "engine/scheduler.h"
#include "engine/state_key.h"
#include "format/fingerprint.h"
#include "server/api.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/served_model.h"
#include "tools/cli.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/line_log.h"
#include "tools/serve_options.h"
#include "tools/units.h"
#include "tools/version.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;

ErrorBody unavailable(std::string message, std::string code) {
  return {.status = 503,
          .message = std::move(message),
          .type = {},
          .param = {},
          .code = std::move(code)};
}

class Log {
 public:
  explicit Log(const ServeOptions& o) : format_(o.log), quiet_(o.quiet) {}

  void answered(const HttpAnswer& answer) {
    if (!quiet_) line(log_line(answer, format_, std::chrono::system_clock::now()));
  }
  void line(std::string_view text) { lines_.line(text); }

 private:
  LogFormat format_;
  bool quiet_;
  LineLog lines_{STDERR_FILENO};
};

// All of a server, each part after those that it refers to.
class House {
 public:
  explicit House(const ServeOptions& o) : options_(o), log_(o) {}
  ~House() {
    // Before what handlers and callbacks use goes.
    if (server_) server_->stop(0);
    if (scheduler_) scheduler_->shut_down(0);
  }

  void listen();
  void load();
  void open();
  void run(const InterruptGuard& interrupt);

 private:
  std::shared_ptr<Routes> own_routes();
  void health(Exchange& exchange);
  void metrics(Exchange& exchange);
  void note_progress(const LoadProgress& progress);
  void renew_certificate();
  std::string settings() const;
  std::map<int, std::string> realms() const;
  DiskCacheOptions disk_options();
  std::string example() const;

  const ServeOptions& options_;
  Log log_;
  Metrics metrics_;
  std::unique_ptr<LoadedModel> model_;
  ServeMemory memory_;
  SamplerOptions sampling_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<SlotFolder> slot_folder_;
  std::optional<ServedModel> served_;
  std::optional<Api> api_;
  enum class Phase { kLoading, kReady, kClosing };
  std::atomic<Phase> phase_{Phase::kLoading};
  std::atomic<int> percent_{0};
  std::vector<std::string> keys_;
  Clock::time_point noted_{};
  std::unique_ptr<HttpServer> server_;
  std::atomic<HttpServer*> listening_{nullptr};  // its handlers run before it has been assigned
};

// Certificates are renewed every few weeks, and SIGHUP says that their files have changed.
volatile std::sig_atomic_t certificate_changed = 0;
extern "C" void note_certificate(int) { certificate_changed = 1; }

// Connections are descriptors, and the usual bound is 1,024. How many connections may be.
int allow_descriptors(int connections) {
  constexpr rlim_t kOthers = 256;  // files, the excess connections that are told so
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return connections;
  const rlim_t wanted = static_cast<rlim_t>(connections) + kOthers;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min(wanted, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= wanted) return connections;
  return std::max(1, static_cast<int>(limit.rlim_cur) - static_cast<int>(kOthers));
}

std::shared_ptr<Routes> House::own_routes() {
  auto routes = std::make_shared<Routes>();
  for (const char* path : {"/health", "/v1/health"})
    routes->add({.method = "GET",
                 .path = path,
                 .handler = [this](const auto& exchange) { health(*exchange); },
                 .open = true,
                 .quick = true});
  routes->add({.method = "GET",
               .path = "/metrics",
               .handler = [this](const auto& exchange) { metrics(*exchange); },
               .open = false,
               .quick = true});
  return routes;
}

void House::health(Exchange& exchange) {
  switch (phase_.load()) {
    case Phase::kReady:
      return exchange.reply(200, "application/json", R"({"status":"ok"})");
    case Phase::kLoading:
      return reply(
          exchange,
          unavailable(fmt::format("The model is being loaded: {}%.", percent_.load()), "loading"));
    case Phase::kClosing:
      return reply(exchange, unavailable("The server is shutting down.", "shutting_down"));
  }
}

void House::metrics(Exchange& exchange) {
  const bool ready = phase_.load() != Phase::kLoading;
  std::optional<SchedulerStats> stats;
  if (ready) stats = scheduler_->stats();
  const HttpServer* server = listening_.load();
  const HttpServerStats http = server != nullptr ? server->stats() : HttpServerStats();
  const Metrics::Gauge more[] = {
      {"braid_ready", "1 when requests are served.", phase_ == Phase::kReady ? 1.0 : 0.0, false},
      {"braid_slots", "Sequences that can run at a time.",
       ready ? static_cast<double>(memory_.slots) : 0.0, false},
      {"braid_http_connections", "Open connections.", static_cast<double>(http.connections), false},
      {"braid_http_requests", "Requests in work.", static_cast<double>(http.requests), false},
      {"braid_http_accepted_total", "Connections so far.", static_cast<double>(http.accepted),
       true}};
  exchange.reply(200, "text/plain; version=0.0.4; charset=utf-8",
                 metrics_.text(stats ? &*stats : nullptr, more));
}

void House::renew_certificate() {
  try {
    server_->replace_certificate(read_file(options_.certificate_file),
                                 read_file(options_.tls_key_file));
    log_.line(fmt::format("braid: {} was read again", options_.certificate_file));
  } catch (const Error& error) {
    log_.line(fmt::format("braid: {}: the certificate that was there stays", error.what()));
  }
}

void House::note_progress(const LoadProgress& progress) {
  const auto now = Clock::now();
  if (progress.total == 0 || now - noted_ < std::chrono::milliseconds(200)) return;
  noted_ = now;
  percent_ = static_cast<int>(100.0 * static_cast<double>(progress.done) /
                              static_cast<double>(progress.total));
  server_->close(
      unavailable(fmt::format("The model is being loaded: {}%.", percent_.load()), "loading"));
}

void House::listen() {
  HttpServerOptions http = http_options(options_);
  keys_ = http.keys;
  http.limits.connections = allow_descriptors(http.limits.connections);
  http.answered = [this](const HttpAnswer& a) {
    metrics_.answered(a.method, a.route, a.status, a.seconds, a.bytes);
    log_.answered(a);
  };
  http.problem = [this](std::string_view line) { log_.line(fmt::format("braid: {}", line)); };
  server_ = std::make_unique<HttpServer>(std::move(http), own_routes(),
                                         unavailable("The model is being loaded.", "loading"));
  listening_ = server_.get();
}

void House::load() {
  ModelChoice choice = options_.model;
  const int measured_for = options_.slots.value_or(4);
  const ServeNeeds needs = needs_of(choice, measured_for);
  const std::optional<size_t> available = available_memory("");
  memory_ = divide_memory(needs, {.slots = options_.slots,
                                  .kv_bytes = options_.kv_bytes,
                                  .snapshot_bytes = options_.snapshot_bytes,
                                  .available = available});
  if (options_.max_tokens) memory_.max_tokens = *options_.max_tokens;
  if (!options_.quiet) log_.line("braid: " + memory_text(needs, memory_, available));
  if (!memory_.warning.empty()) log_.line("braid: " + memory_.warning);
  choice.engine.sequences = memory_.slots;
  choice.engine.spare_slots = 0;
  choice.engine.pages = memory_.pages;
  model_ = std::make_unique<LoadedModel>(
      choice, [this](const LoadProgress& progress) { note_progress(progress); });
  sampling_ = resolve(options_.sampler, model_->sampling());
}

// All that decides the bits of a state, and whose it is.
std::string House::settings() const {
  return state_key(model_->engine(), fingerprint(model_->file()),
                   build_version() + " " + build_commit());
}

std::map<int, std::string> House::realms() const {
  std::map<int, std::string> realms;
  for (size_t i = 0; i < keys_.size(); ++i) realms[realm_of_key(static_cast<int>(i))] = keys_[i];
  return realms;
}

DiskCacheOptions House::disk_options() {
  DiskCacheOptions disk;
  disk.folder = options_.cache_folder;
  if (disk.folder.empty()) return disk;
  disk.key = settings();
  if (options_.cache_bytes) disk.bytes = *options_.cache_bytes;
  disk.realms = realms();
  disk.report = [this](const std::string& what) { log_.line(fmt::format("braid: {}", what)); };
  return disk;
}

void House::open() {
  SchedulerOptions scheduling;
  scheduling.prefix.kv_bytes = memory_.kv_bytes;
  scheduling.prefix.snapshot_bytes = memory_.snapshot_bytes;
  scheduling.queue = options_.queue;
  scheduling.disk = disk_options();
  scheduler_ =
      std::make_unique<Scheduler>(model_->engine(), model_->sampler_vocabulary(), scheduling);
  if (!options_.slot_folder.empty()) {
    SlotFolderOptions slots{options_.slot_folder, settings(), realms()};
    if (options_.slot_bytes) slots.bytes = *options_.slot_bytes;
    slot_folder_ = std::make_unique<SlotFolder>(model_->engine().pool(), std::move(slots));
  }
  served_.emplace(
      ServedModel{.scheduler = *scheduler_,
                  .text = model_->text(),
                  .tokenizer = model_->tokenizer(),
                  .chat_template = model_->has_chat_template() ? &model_->chat_template() : nullptr,
                  .sampling = sampling_,
                  .sampler_vocabulary = model_->sampler_vocabulary(),
                  .metrics = metrics_,
                  .end_tokens = model_->text().end_ids,
                  .name = options_.alias.empty() ? model_->name() : options_.alias,
                  .path = model_->path(),
                  .context = model_->context(),
                  .slots = memory_.slots,
                  .max_tokens = memory_.max_tokens,
                  .created = static_cast<int64_t>(std::time(nullptr)),
                  .embeds = model_->engine().options().hidden,
                  .slot_folder = slot_folder_.get()});
  ApiOptions api;
  api.keep_volatile = options_.keep_volatile;
  api.problem = [this](std::string_view line) { log_.line(fmt::format("braid: {}", line)); };
  api_.emplace(*served_, api);
  const auto routes = own_routes();
  api_->add_routes(*routes);
  phase_ = Phase::kReady;
  server_->open(routes);
}

std::string House::example() const {
  const std::string& address = server_->address();
  const bool unix_socket = address.starts_with("unix:");
  return fmt::format(
      R"(curl {}{}/v1/chat/completions {}-H "Content-Type: application/json" -d '{}')",
      unix_socket ? fmt::format("--unix-socket {} ", address.substr(5)) : std::string(),
      unix_socket ? "http://localhost" : address,
      !keys_.empty() ? "-H \"Authorization: Bearer $KEY\" " : "",
      R"({"messages": [{"role": "user", "content": "Who are you?"}]})");
}

void House::run(const InterruptGuard& interrupt) {
  fmt::print("{} is served at {}\nTry: {}\n", served_->name, server_->address(), example());
  std::fflush(stdout);
  while (!interrupt.interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (certificate_changed == 0) continue;
    certificate_changed = 0;
    renew_certificate();
  }
  if (!options_.quiet)
    log_.line(
        fmt::format("braid: ending; running requests have {} s (again: at once)", options_.grace));
  phase_ = Phase::kClosing;
  // Side by side: while requests end, answers go out.
  std::thread scheduler([&] { scheduler_->shut_down(options_.grace); });
  server_->stop(options_.grace + 2);
  scheduler.join();
}

// Gives each large block pages of its own, which the system has back when the block is freed.
// Otherwise the allocator learns from the first snapshot to cut them out of its heaps; their sizes
// differ, and what is left between them grew for as long as the server ran.
void keep_large_blocks_apart() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

int serve(const ServeOptions& o) {
  keep_large_blocks_apart();
  const InterruptGuard interrupt;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error like others
  House house(o);
  house.listen();
  if (!o.certificate_file.empty()) std::signal(SIGHUP, note_certificate);
  try {
    house.load();
  } catch (const Interrupted&) {  // a wish to end, as later
    return kDone;
  }
  if (interrupt.interrupted()) return kDone;
  house.open();
  house.run(interrupt);
  return kDone;
}

constexpr const char* kFooter =
    R"(One line on standard output says when it is ready and where. Until then, and while it ends, clients are told 503.
Ctrl-C or SIGTERM let running requests end for --grace seconds; the second one ends at once.

Examples:
  braid serve
  braid serve -m model.gguf -c 65536 -np 8
  braid serve -m model.gguf --host 0.0.0.0 --api-key-file keys.txt --tls-cert cert.pem --tls-key key.pem
  braid serve -m model.gguf --host /run/braid/braid.sock --log-format json)";

}  // namespace

Command serve_command(CLI::App& app) {
  const auto o = std::make_shared<ServeOptions>();
  CLI::App& command = *app.add_subcommand("serve", "Serve a model over HTTP");
  command.footer(kFooter);
  add_serve_options(command, *o);
  return {&command, [o] { return serve(*o); }};
}

}  // namespace braid
