// Options of commands that talk to a server: where it is, and who asks.
#pragma once

#include "client/http_client.h"

#include <CLI/CLI.hpp>

#include <string>

namespace braid {

struct ServerChoice {
  std::string url;
  std::string key, key_file, ca_file;
  bool any_certificate = false;
  double silent_seconds = 300;
};
// --url, --api-key, --api-key-file, --ca-file, --insecure, --timeout
void add_server_options(CLI::App& command, ServerChoice& choice);

// Reads the file of the key. Throws Error.
HttpTarget target_of(const ServerChoice& choice);

// The model that the server serves, the first of several; empty where it names none. Throws Error
// that says why it cannot be talked to.
std::string served_model(HttpClient& http);

}  // namespace braid
