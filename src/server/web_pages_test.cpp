#include "server/web_pages.h"

#include "server/test_client.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

using namespace test;

TEST(WebPages, PrivateHosts) {
  for (const char* host :
       {"", "localhost", "LocalHost:8080", "localhost.", "127.0.0.1", "127.0.0.1:80", "[::1]:8080",
        "[fe80::1]", "192.168.1.7:8080", "gpu-box", "braid:8080", "a.localhost", "braid.local:1",
        "braid.default.svc.cluster.local", "nas.lan", "x.internal", "x.home.arpa"})
    EXPECT_TRUE(is_private_host(host)) << host;
  for (const char* host : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example",
                           "localhost.evil.example", "local.example", "1.2.3"})
    EXPECT_FALSE(is_private_host(host)) << host;
}

int status_of(HttpServerOptions options, const std::string& host, const std::string& headers = "") {
  TestServer house(std::move(options));
  Client client(house.port());
  client.send("POST /echo HTTP/1.1\r\nHost: " + host + "\r\n" + headers +
              "Content-Length: 1\r\n\r\na");
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body.find("not_allowed") != std::string::npos, answer.status == 403);
  return answer.status;
}

// A page on the web may have its name point at this machine.
TEST(WebPages, ANameThatIsNotKnownAsThisServers) {
  HttpServerOptions options;
  EXPECT_EQ(status_of(options, "localhost:8080"), 200);
  EXPECT_EQ(status_of(options, "evil.example:8080"), 403);
  options.hosts = {"Ours.example", "other.example"};
  EXPECT_EQ(status_of(options, "ours.example:8080"), 200);
  EXPECT_EQ(status_of(options, "evil.example:8080"), 403);
  EXPECT_EQ(status_of(options, "127.0.0.1"), 200);
  options.hosts = {"*"};
  EXPECT_EQ(status_of(options, "evil.example:8080"), 200);
  options.hosts = {};
  options.keys = {"k"};
  EXPECT_EQ(status_of(options, "evil.example:8080", "X-Api-Key: k\r\n"), 200);
}

// A browser sends a text/plain POST for any page without asking first.
TEST(WebPages, APageOfAnotherOrigin) {
  HttpServerOptions options;
  const std::string page = "Origin: https://a.example\r\nContent-Type: text/plain\r\n";
  EXPECT_EQ(status_of(options, "localhost:8080", page), 403);
  EXPECT_EQ(status_of(options, "localhost:8080", "Origin: null\r\n"), 403);
  EXPECT_EQ(status_of(options, "localhost:8080", "Origin: http://localhost:9090\r\n"), 403);
  EXPECT_EQ(status_of(options, "localhost:8080", "Origin: http://localhost:8080\r\n"), 200);
  options.origins = {"https://a.example"};
  EXPECT_EQ(status_of(options, "localhost:8080", page), 200);
  EXPECT_EQ(status_of(options, "localhost:8080", "Origin: https://b.example\r\n"), 403);
  options.origins = {"*"};
  EXPECT_EQ(status_of(options, "localhost:8080", "Origin: null\r\n"), 200);
  options.origins = {};
  options.keys = {"k"};
  EXPECT_EQ(status_of(options, "localhost:8080", page + "X-Api-Key: k\r\n"), 200);
}

TEST(WebPages, HealthIsForEverybody) {
  TestServer house;
  Client client(house.port());
  client.send("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
}

TEST(WebPages, TheErrorSaysHowToMendIt) {
  TestServer house;
  Client client(house.port());
  client.send("GET /hello HTTP/1.1\r\nHost: evil.example:80\r\n\r\n");
  EXPECT_NE(client.answer().body.find("--allowed-host evil.example,"), std::string::npos);
  client.get("/hello", "Origin: https://a.example\r\n");
  EXPECT_NE(client.answer().body.find("--cors-origin https://a.example "), std::string::npos);
}

}  // namespace
}  // namespace braid
