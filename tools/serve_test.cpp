// braid serve: what is refused before it starts. tests/server/serve_test.py runs it.
#include "base/check.h"
#include "server/listen_socket.h"
#include "tools/command_test_support.h"
#include "tools/serve_options.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace braid {
namespace {

const std::string kData = BRAID_TEST_DATA "/server/";

test::Outcome serve(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"serve", "-m", test::kDemoModel, "-t", "1", "--port", "0"});
  return test::run_command(serve_command, arguments);
}

class Serve : public testing::Test {
 protected:
  Serve()
      : file_((std::filesystem::temp_directory_path() /
               ("braid_serve_keys_" + std::to_string(getpid())))
                  .string()) {}
  ~Serve() override { std::filesystem::remove(file_); }
  const std::string& with(const std::string& text) {
    std::ofstream(file_) << text;
    return file_;
  }
  std::string file_;
};

TEST_F(Serve, ErrorsNameTheRemedy) {
  const ListenSocket taken("127.0.0.1", 0, 8);
  test::expect_one_line(serve({"--port", std::to_string(taken.port())}), kFailed, "--port");
  test::expect_one_line(serve({"--host", "203.0.113.7"}), kFailed, "--host");
  test::expect_one_line(serve({"--port", "99999"}), kUsage, "--port");
  test::expect_one_line(serve({"--parallel", "0"}), kUsage, "--parallel");
  test::expect_one_line(serve({"--kv-memory", "much"}), kUsage, "--kv-memory");
  test::expect_one_line(serve({"--log-format", "xml"}), kUsage, "--log-format");
  test::expect_one_line(serve({"--api-key-file", "/nowhere/keys"}), kFailed, "/nowhere/keys");
  test::expect_one_line(serve({"--api-key-file", with("# nothing\n\n")}), kFailed, "holds no key");
  test::expect_one_line(serve({"--api-key", ""}), kFailed, "--api-key");
  test::expect_one_line(serve({"--api-key", "two words"}), kFailed, "blank");
  test::expect_one_line(serve({"-m", "/nowhere/model.gguf", "-q"}), kFailed, "/nowhere/model.gguf");
}

TEST_F(Serve, TlsFilesAreLookedAtFirst) {
  const std::string certificate = kData + "certificate.pem", key = kData + "key.pem";
  test::expect_one_line(serve({"--tls-cert", certificate}), kFailed, "--tls-key is missing");
  test::expect_one_line(serve({"--tls-key", key}), kFailed, "--tls-cert is missing");
  test::expect_one_line(serve({"--tls-cert", "/nowhere/a.pem", "--tls-key", key}), kFailed,
                        "/nowhere/a.pem");
  test::expect_one_line(serve({"--tls-cert", certificate, "--tls-key", with("no PEM")}), kFailed,
                        "must be PEM");
  test::expect_one_line(serve({"--tls-cert", certificate, "--tls-key", kData + "other_key.pem"}),
                        kFailed, "belong to each other");
}

TEST_F(Serve, KeysFromCommandLineAndFile) {
  ServeOptions options;
  options.http.keys = {"first"};
  options.key_file = with("a key");
  EXPECT_THROW(http_options(options), Error);  // a key with blanks
  options.key_file = with("# ours\r\n  second\r\n\nthird\t\n");
  EXPECT_EQ(http_options(options).keys, (std::vector<std::string>{"first", "second", "third"}));
}

}  // namespace
}  // namespace braid
