// What `braid serve` is told on its command line, and what becomes of it.
#pragma once

#include "server/access_log.h"
#include "server/http_server.h"
#include "tools/loaded_model.h"
#include "tools/sampler_options.h"
#include "tools/serve_memory.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace braid {

struct ServeOptions {
  ModelChoice model;
  SamplerOverrides sampler;
  std::string alias;

  HttpServerOptions http;
  std::string key_file, certificate_file, tls_key_file;

  std::optional<int> slots;
  std::optional<size_t> kv_bytes, snapshot_bytes;
  std::string cache_folder;
  std::string slot_folder;  // empty: no slots are saved
  std::optional<size_t> cache_bytes, slot_bytes;
  std::optional<int64_t> max_tokens;
  int queue = 256;
  double grace = 30;
  bool keep_volatile = false;

  LogFormat log = LogFormat::kText;
  bool quiet = false;
};
void add_serve_options(CLI::App& command, ServeOptions& options);

// Reads the files that the options name. Throws Error that says what is wrong with which.
HttpServerOptions http_options(const ServeOptions& options);

}  // namespace braid
