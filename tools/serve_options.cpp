#include "tools/serve_options.h"

#include "base/check.h"
#include "tools/files.h"
#include "tools/options.h"

#include <algorithm>

namespace braid {
namespace {

constexpr const char* kListening = "Who is served";
constexpr const char* kServing = "How much";
constexpr const char* kLog = "What is told";

void add_size(CLI::App& command, const std::string& names, std::optional<size_t>& bytes,
              const std::string& help) {
  command
      .add_option_function<uint64_t>(
          names, [&bytes](uint64_t value) { bytes = static_cast<size_t>(value); }, help)
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE")
      ->group(kServing);
}

void add_list(CLI::App& command, const std::string& name, std::vector<std::string>& values,
              const std::string& help, const char* type) {
  command.add_option(name, values, help)
      ->type_name(type)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->group(kListening);
}

void add_listening(CLI::App& command, ServeOptions& o) {
  command
      .add_option("--host", o.http.host,
                  "Address to listen on, 0.0.0.0 for all, or the path of a Unix socket (default: "
                  "127.0.0.1)")
      ->type_name("HOST")
      ->group(kListening);
  command.add_option("--port", o.http.port, "Port; 0: any free one (default: 8080)")
      ->type_name("N")
      ->check(CLI::Range(0, 65535).description(""))
      ->group(kListening);
  add_list(command, "--api-key", o.http.keys,
           "A key that clients must show; may be given several times (others on this machine can "
           "read it here: better a file, or BRAID_API_KEY)",
           "KEY");
  command
      .add_option("--api-key-file", o.key_file, "A file of keys, one a line; # begins a comment")
      ->type_name("FILE")
      ->group(kListening);
  command
      .add_option("--tls-cert,--ssl-cert-file", o.certificate_file,
                  "Serve over TLS with this certificate (PEM, with its chain)")
      ->type_name("FILE")
      ->group(kListening);
  command.add_option("--tls-key,--ssl-key-file", o.tls_key_file, "The certificate's key (PEM)")
      ->type_name("FILE")
      ->group(kListening);
  add_list(command, "--cors-origin", o.http.origins,
           "Let web pages of this origin ask, * for all; may be given several times (default: "
           "none)",
           "ORIGIN");
  add_list(command, "--allowed-host", o.http.hosts,
           "A name that clients may ask this server by, * for any; may be given several times "
           "(default: names that the public DNS does not give out; with API keys any)",
           "NAME");
}

void add_serving(CLI::App& command, ServeOptions& o) {
  command.add_option("-a,--alias", o.alias, "The model's name for clients (default: its own)")
      ->type_name("NAME")
      ->group(kServing);
  command
      .add_option("--parallel,--slots", o.slots,
                  "-np: requests that run at a time, others wait (default: 4, fewer where memory "
                  "is short)")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""))
      ->group(kServing);
  add_size(command, "--kv-memory", o.kv_bytes,
           "Memory for keys and values of all requests and past prompts, as 4G (default: half of "
           "what the weights leave)");
  add_size(command, "--snapshot-memory", o.snapshot_bytes,
           "Memory for recurrent state at places where prompts may go on (default: a quarter of "
           "it)");
  command
      .add_option("--cache-dir", o.cache_folder,
                  "A folder that keeps past prompts for the next start; it holds what users wrote "
                  "(default: none)")
      ->type_name("FOLDER")
      ->group(kServing);
  add_size(command, "--cache-disk", o.cache_bytes, "What the files in it may take (default: 16G)");
  command
      .add_option("--slot-save-path", o.slot_folder,
                  "A folder for conversations that clients save under a name and restore (default: "
                  "none)")
      ->type_name("FOLDER")
      ->group(kServing);
  add_size(command, "--slot-save-disk", o.slot_bytes,
           "What the files in it may take; no more is saved then (default: 16G)");
  command
      .add_option("-n,--predict", o.max_tokens,
                  "Most tokens of an answer whose request does not say; -1: all that fit (default: "
                  "-1, less where memory is short)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 30).description(""))
      ->group(kServing);
  command
      .add_flag("--embeddings,--embedding", o.model.engine.hidden,
                "Give embeddings too: keeps a vector of each row of a step")
      ->group(kServing);
  command
      .add_flag("--keep-volatile", o.keep_volatile,
                "Leave headers of agents alone that change with each request (docs/serve.md)")
      ->group(kServing);
  const auto number = [&](const char* name, int& value, const char* help) {
    command.add_option(name, value, fmt::format("{} (default: {})", help, value))
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 20).description(""))
        ->group(kServing);
  };
  number("--queue", o.queue, "Most requests that wait");
  number("--max-connections", o.http.limits.connections, "Most connections");
  command
      .add_option_function<uint64_t>(
          "--max-body",
          [&o](uint64_t bytes) { o.http.limits.body_bytes = static_cast<size_t>(bytes); },
          "Largest request (default: 32M)")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE")
      ->group(kServing);
  number("--threads-http", o.http.limits.workers, "Threads that read requests");
  command
      .add_option("--grace", o.grace,
                  "Seconds that running requests have after Ctrl-C or SIGTERM (default: 30)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86400.0).description(""))
      ->group(kServing);
}

void check_key(const std::string& key) {
  if (key.empty()) fail("--api-key: an empty key would let everybody in: leave it out for that");
  for (const char c : key)
    if (c <= ' ' || c > '~')
      fail(
          "an API key has a blank or a character beyond ASCII: clients cannot send it in a header");
}

}  // namespace

void add_serve_options(CLI::App& command, ServeOptions& o) {
  add_model_options(command, o.model);
  add_listening(command, o);
  add_serving(command, o);
  command
      .add_option_function<std::string>(
          "--log-format",
          [&o](const std::string& name) {
            o.log = name == "json" ? LogFormat::kJson : LogFormat::kText;
          },
          "Lines on stderr, one for each answer (default: text)")
      ->type_name("text|json")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->group(kLog);
  command.add_flag("-q,--quiet", o.quiet, "No such lines")->group(kLog);
  add_sampler_options(command, o.sampler);
}

HttpServerOptions http_options(const ServeOptions& o) {
  HttpServerOptions http = o.http;
  if (!o.key_file.empty()) {
    const std::vector<std::string> more = keys_in(o.key_file);
    http.keys.insert(http.keys.end(), more.begin(), more.end());
  }
  for (const std::string& key : http.keys) check_key(key);
  if (o.certificate_file.empty() != o.tls_key_file.empty())
    fail("--tls-cert and --tls-key belong together: {} is missing",
         o.certificate_file.empty() ? "--tls-cert" : "--tls-key");
  if (!o.certificate_file.empty()) {
    http.tls_certificate = read_file(o.certificate_file);
    http.tls_key = read_file(o.tls_key_file);
    if (http.tls_certificate.empty()) fail("{}: is empty", o.certificate_file);
    if (http.tls_key.empty()) fail("{}: is empty", o.tls_key_file);
  }
  http.limits.requests = o.queue + o.slots.value_or(0) + 64;
  return http;
}

}  // namespace braid
