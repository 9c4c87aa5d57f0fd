#include "tools/client_options.h"

#include "client/openai_stream.h"
#include "tools/files.h"

#include <nlohmann/json.hpp>

namespace braid {
namespace {

constexpr const char* kServer = "The server";

}  // namespace

void add_server_options(CLI::App& command, ServerChoice& choice) {
  command
      .add_option("--url", choice.url,
                  "The server: http://host:port, https://host, unix:/path (default: "
                  "http://127.0.0.1:8080)")
      ->type_name("URL")
      ->group(kServer);
  CLI::Option* key =
      command
          .add_option("--api-key", choice.key,
                      "The key to show it (others on this machine can read it here: better a file, "
                      "or BRAID_API_KEY)")
          ->type_name("KEY")
          ->group(kServer);
  command.add_option("--api-key-file", choice.key_file, "A file whose first key is shown")
      ->type_name("FILE")
      ->excludes(key)
      ->group(kServer);
  command
      .add_option("--ca-file", choice.ca_file,
                  "Whom to trust for https instead of the system's list (PEM)")
      ->type_name("FILE")
      ->group(kServer);
  command.add_flag("--insecure", choice.any_certificate, "Take any certificate for https")
      ->group(kServer);
  command
      .add_option("--timeout", choice.silent_seconds,
                  "Give up when the server says nothing for so long (default: 300)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1.0, 86400.0).description(""))
      ->group(kServer);
}

HttpTarget target_of(const ServerChoice& choice) {
  HttpTarget target = HttpTarget::of_url(choice.url.empty() ? "http://127.0.0.1:8080" : choice.url);
  target.key = choice.key_file.empty() ? choice.key : keys_in(choice.key_file).front();
  target.ca_file = choice.ca_file;
  target.any_certificate = choice.any_certificate;
  target.silent_seconds = choice.silent_seconds;
  return target;
}

std::string served_model(HttpClient& http) {
  HttpCall call;
  call.path = "/v1/models";
  const HttpReply reply = http.send(call);
  const HttpTarget& target = http.target();
  const std::string where = target.socket.empty() ? target.base : target.socket;
  if (reply.status == 401 || reply.status == 403)
    fail("{}: {} (--api-key-file or BRAID_API_KEY give a key)", where,
         parse_server_error(reply.body).message);
  if (reply.status == 404) return {};
  if (reply.status != 200)
    fail("{}: status {}: {}", where, reply.status, parse_server_error(reply.body).message);
  const auto json = nlohmann::json::parse(reply.body, nullptr, false);
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (!json.is_object() || data == json.end() || !data->is_array())
    fail("{}: /v1/models is no list of models: is this a server of OpenAI's kind?", where);
  if (data->empty() || !data->front().is_object()) return {};
  const auto id = data->front().find("id");
  return id != data->front().end() && id->is_string() ? id->get<std::string>() : "";
}

}  // namespace braid
