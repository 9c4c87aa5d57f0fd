#include "client/http_client.h"

#include "server/test_client.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace braid {
namespace {

using test::soon;
using test::TestServer;

const std::string kData = BRAID_TEST_DATA "/server/";

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

HttpTarget target_of(const TestServer& house) {
  return HttpTarget::of_url("http://127.0.0.1:" + std::to_string(house.port()));
}

HttpCall get(const std::string& path) {
  HttpCall call;
  call.path = path;
  return call;
}

HttpCall post(const std::string& path, const std::string& body) {
  HttpCall call = get(path);
  call.method = "POST";
  call.body = body;
  return call;
}

std::optional<HttpFailure> failure_of(HttpClient& http, const HttpCall& call) {
  try {
    http.send(call);
  } catch (const HttpError& error) {
    return error.failure();
  }
  return std::nullopt;
}

TEST(HttpTarget, FormsOfAnAddress) {
  EXPECT_EQ(HttpTarget::of_url("http://127.0.0.1:8080/").base, "http://127.0.0.1:8080");
  EXPECT_EQ(HttpTarget::of_url("https://a.example/v1/").base, "https://a.example");
  EXPECT_EQ(HttpTarget::of_url("https://a.example/llm/v1").base, "https://a.example/llm");
  EXPECT_EQ(HttpTarget::of_url("localhost:8080").base, "http://localhost:8080");
  EXPECT_EQ(HttpTarget::of_url("unix:/run/a.sock").socket, "/run/a.sock");
  for (const char* wrong : {"", "unix:", "ftp://a", "http://", "http://a/?b=c", "http://a b"})
    EXPECT_THROW(HttpTarget::of_url(wrong), Error) << wrong;
}

TEST(HttpClient, CallsOverOneConnection) {
  TestServer house;
  HttpClient http(target_of(house));
  EXPECT_EQ(http.send(get("/hello")).body, "hello");
  std::string large(3'000'000, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i * i % 23);
  EXPECT_EQ(http.send(post("/echo", large)).body, large);
  EXPECT_EQ(http.send(post("/echo", "")).body, "");
  const HttpReply none = http.send(get("/nothing"));
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.type, "application/json");
  EXPECT_NE(none.body.find("There is no /nothing."), std::string::npos);
  EXPECT_EQ(house.server->stats().accepted, 1);
}

TEST(HttpClient, KeysAndUnixSockets) {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("braid_client_" + std::to_string(getpid()) + ".sock"))
                               .string();
  HttpServerOptions options;
  options.host = path;
  options.keys = {"right"};
  TestServer house(options);
  HttpTarget target = HttpTarget::of_url("unix:" + path);
  EXPECT_EQ(HttpClient(target).send(get("/hello")).status, 401);
  target.key = "wrong";
  EXPECT_EQ(HttpClient(target).send(get("/hello")).status, 401);
  target.key = "right";
  EXPECT_EQ(HttpClient(target).send(get("/hello")).body, "hello");
}

TEST(HttpClient, TlsTrustsWhomItIsToldTo) {
  HttpServerOptions options;
  options.tls_certificate = contents(kData + "certificate.pem");
  options.tls_key = contents(kData + "key.pem");
  TestServer house(options);
  HttpTarget target = HttpTarget::of_url("https://127.0.0.1:" + std::to_string(house.port()));
  HttpClient strict(target);
  EXPECT_EQ(failure_of(strict, get("/hello")), HttpFailure::kTls);
  target.ca_file = kData + "certificate.pem";
  EXPECT_EQ(HttpClient(target).send(get("/hello")).body, "hello");
  target.ca_file = "";
  target.any_certificate = true;
  EXPECT_EQ(HttpClient(target).send(get("/hello")).body, "hello");
}

TEST(HttpClient, PiecesComeAsTheyAreWritten) {
  TestServer house;
  HttpClient http(target_of(house));
  std::thread server([&] {
    const auto exchange = house.held.take();
    ASSERT_TRUE(exchange);
    exchange->begin(200, "text/event-stream");
    exchange->write("one");
    exchange->write("two");
    exchange->end();
  });
  std::string all;
  HttpCall call = post("/hold", "{}");
  call.on_piece = [&](std::string_view piece) {
    all += piece;
    return true;
  };
  const HttpReply reply = http.send(call);
  server.join();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.type, "text/event-stream");
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(all, "onetwo");
}

TEST(HttpClient, StoppingHangsUp) {
  TestServer house;
  HttpClient http(target_of(house));
  std::atomic<bool> stop{false}, gone{false};
  std::thread server([&] {
    const auto exchange = house.held.take();
    ASSERT_TRUE(exchange);
    exchange->begin(200, "text/event-stream");
    exchange->write("one");
    stop = true;
    gone = soon([&] { return exchange->gone(); });
  });
  HttpCall call = post("/hold", "{}");
  call.on_piece = [](std::string_view) { return true; };
  call.stop = [&] { return stop.load(); };
  EXPECT_TRUE(http.send(call).stopped);
  server.join();
  EXPECT_TRUE(gone);

  // By who takes the pieces.
  gone = false;
  std::thread other([&] {
    const auto exchange = house.held.take();
    ASSERT_TRUE(exchange);
    exchange->begin(200, "text/event-stream");
    exchange->write("one");
    gone = soon([&] { return exchange->gone(); });
  });
  call.stop = {};
  call.on_piece = [](std::string_view) { return false; };
  EXPECT_TRUE(http.send(call).stopped);
  other.join();
  EXPECT_TRUE(gone);
  EXPECT_EQ(http.send(get("/hello")).body, "hello");
}

TEST(HttpClient, WhatATakerThrowsComesThrough) {
  TestServer house;
  HttpClient http(target_of(house));
  HttpCall call = get("/hello");
  call.on_piece = [](std::string_view) -> bool { fail("planted"); };
  EXPECT_THROW(http.send(call), Error);
  EXPECT_EQ(http.send(get("/hello")).body, "hello");
}

TEST(HttpClient, FailuresHaveKinds) {
  HttpTarget nobody = HttpTarget::of_url("http://127.0.0.1:1");
  HttpClient refused(nobody);
  EXPECT_EQ(failure_of(refused, get("/")), HttpFailure::kConnect);

  TestServer house;
  HttpTarget target = target_of(house);
  target.silent_seconds = 1;
  HttpClient impatient(target);
  EXPECT_EQ(failure_of(impatient, get("/hold")), HttpFailure::kTimeout);

  HttpClient http(target_of(house));
  std::thread breaks([&] {
    // The first one held is that of the impatient client.
    house.held.take();
    const auto exchange = house.held.take();
    ASSERT_TRUE(exchange);
    exchange->begin(200, "text/event-stream");
    exchange->write("one");
    house.server->stop(0);
  });
  HttpCall call = get("/hold");
  call.on_piece = [](std::string_view) { return true; };
  EXPECT_EQ(failure_of(http, call), HttpFailure::kClosed);
  breaks.join();
}

TEST(HttpClient, SaysWhenToComeAgain) {
  TestServer house;
  house.server->close(
      {.status = 503, .message = "full", .type = {}, .param = {}, .code = "queue_full"});
  HttpClient http(target_of(house));
  const HttpReply reply = http.send(get("/hello"));
  EXPECT_EQ(reply.status, 503);
  ASSERT_TRUE(reply.retry_after);
  EXPECT_GT(*reply.retry_after, 0);
}

}  // namespace
}  // namespace braid
