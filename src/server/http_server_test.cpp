// What clients send and what they get: paths, methods, bodies, keys, web pages of other origins.
#include "server/http_server.h"

#include "base/check.h"
#include "server/test_client.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using namespace test;

nlohmann::json error_of(const Answer& answer) {
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  return nlohmann::json::parse(answer.body).at("error");
}

TEST(HttpServer, AnswersOverOneConnection) {
  TestServer house;
  Client client(house.port());
  for (int i = 0; i < 3; ++i) {
    client.get("/hello");
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.headers.at("content-type"), "text/plain");
  }
  EXPECT_EQ(house.server->stats().accepted, 1);
  EXPECT_EQ(house.noted(2).path, "/hello");
  EXPECT_EQ(house.noted(2).status, 200);
  EXPECT_EQ(house.noted(2).bytes, 5);
  EXPECT_EQ(house.noted(2).client, "127.0.0.1");
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  TestServer house;
  Client client(house.port());
  std::string all;
  for (int i = 0; i < 20; ++i)
    all += "GET /items/" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  client.send(all);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.answer().body, std::to_string(i));
}

TEST(HttpServer, HeadIsGetWithoutABody) {
  TestServer house;
  Client client(house.port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer answer = client.answer(true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "5");
  client.get("/hello");
  EXPECT_EQ(client.answer().body, "hello");
}

TEST(HttpServer, UnknownPathsAndMethods) {
  TestServer house;
  Client client(house.port());
  client.get("/nothing/here?at=all");
  Answer answer = client.answer();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(error_of(answer)["message"], "There is no /nothing/here.");
  EXPECT_EQ(error_of(answer)["type"], "invalid_request_error");
  EXPECT_TRUE(error_of(answer)["param"].is_null());
  EXPECT_EQ(house.noted(0).route, "other");

  client.post("/hello", "x");
  answer = client.answer();
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(error_of(answer)["code"], "method_not_allowed");
  for (const char* method : {"DELETE", "PUT", "BREW", "TRACE"}) {
    client.send(std::string(method) + " /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.answer().status, 405) << method;
  }
  client.send("OPTIONS /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  answer = client.answer();
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(house.server->stats().accepted, 1);
}

TEST(HttpServer, PathsAreDecoded) {
  TestServer house;
  Client client(house.port());
  const auto status = [&](const std::string& path) {
    client.get(path);
    return client.answer().status;
  };
  client.get("/items/a%20b");
  EXPECT_EQ(client.answer().body, "a b");
  EXPECT_EQ(status("/items/a%2Fb"), 404);  // a decoded slash parts segments
  client.get("/items/%C3%A4+b");
  EXPECT_EQ(client.answer().body, "\xc3\xa4+b");
  EXPECT_EQ(status("/items/%C3%28"), 400);  // no UTF-8
  EXPECT_EQ(status("/items/\xff"), 400);
  EXPECT_EQ(status("/items/%"), 400);
  EXPECT_EQ(status("/items/%4"), 400);
  EXPECT_EQ(status("/items/%zz"), 400);
  EXPECT_EQ(status("/health%00x"), 400);
  EXPECT_EQ(status("/hello?a=%ff"), 400);
  EXPECT_EQ(status("http://anywhere:80/hello"), 200);
  EXPECT_EQ(status("/items/"), 404);
}

TEST(HttpServer, BodiesWholeAndInChunks) {
  TestServer house;
  Client client(house.port());
  std::string large(300'000, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i * i % 23);
  client.post("/echo", large);
  EXPECT_EQ(client.answer().body, large);
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  std::this_thread::sleep_for(20ms);
  client.send("7;note=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(client.answer().body, "hello, world");
  client.post("/echo", "");
  EXPECT_EQ(client.answer().body, "");
  client.post("/hello", "read past");  // 405 after the body was read past
  EXPECT_EQ(client.answer().status, 405);
  client.get("/hello");
  EXPECT_EQ(client.answer().status, 200);
}

TEST(HttpServer, ExpectContinue) {
  TestServer house;
  Client client(house.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(client.receive_until("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("body");
  EXPECT_EQ(client.answer().body, "body");
  // Who would be refused hears it before the body is sent.
  Client other(house.port());
  other.send("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(other.answer().status, 404);
  EXPECT_EQ(other.seen().find("100"), std::string::npos);
}

TEST(HttpServer, FramingThatCanBeReadInTwoWaysIsRefused) {
  TestServer house;
  const auto status = [&](const std::string& headers) {
    Client client(house.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\n" + headers + "\r\nabcd");
    return client.answer().status;
  };
  EXPECT_EQ(status("Content-Length: 4\r\nContent-Length: 4\r\n"), 200);
  EXPECT_EQ(status("Content-Length: 4\r\nContent-Length: 3\r\n"), 400);
  EXPECT_EQ(status("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: gzip, chunked\r\n"), 400);
  EXPECT_EQ(status("Content-Length: -4\r\n"), 400);
  EXPECT_EQ(status("Content-Length: 4x\r\n"), 400);
  EXPECT_EQ(status("Content-Length: 99999999999999999999999\r\n"), 413);
  EXPECT_EQ(status("Content-Length: 18446744073709551615\r\n"), 413);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
}

TEST(HttpServer, GarbageIsRefusedAndHarmsNobody) {
  TestServer house;
  Client neighbour(house.port());
  neighbour.get("/hello");
  EXPECT_EQ(neighbour.answer().status, 200);
  // Of nothing at all, or half a line, the client hears no word.
  for (const char* garbage :
       {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET / HTTP/9.9\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost\r\n\r\n", ": : :\r\n\r\n"}) {
    Client client(house.port());
    client.send(garbage);
    shutdown(client.fd(), SHUT_WR);
    const Answer answer = client.answer();
    EXPECT_TRUE(answer.status == 0 || (answer.status >= 400 && answer.status <= 505)) << garbage;
    EXPECT_TRUE(client.closed_by_server()) << garbage;
  }
  neighbour.get("/hello");
  EXPECT_EQ(neighbour.answer().status, 200);
}

TEST(HttpServer, AHandlerThatFailsIsAnsweredWith500) {
  TestServer house;
  Client client(house.port());
  for (const char* path : {"/throws", "/forgets"}) {
    client.get(path, "X-Request-Id: mine-7\r\n");
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(error_of(answer)["type"], "server_error");
    EXPECT_EQ(answer.headers.at("x-should-retry"), "false");
    EXPECT_EQ(answer.body.find("planted"), std::string::npos);
  }
  const std::lock_guard lock(house.mutex);
  EXPECT_EQ(house.problems, std::vector<std::string>{"mine-7 GET /throws: planted"});
}

// What a client hears of it says that the log has more.
TEST(HttpServer, AnErrorOfTheServersOwnIsAnsweredOnceAndGoesToTheLog) {
  TestServer house;
  Client client(house.port());
  for (int i = 0; i < 2; ++i) {
    client.get("/answers", "X-Request-Id: mine-8\r\n");
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(error_of(answer)["code"], "internal_error");
    EXPECT_EQ(answer.body.find("planted"), std::string::npos);
  }
  const std::lock_guard lock(house.mutex);
  ASSERT_FALSE(house.problems.empty());
  EXPECT_EQ(house.problems[0], "mine-8 GET /answers: planted");
}

// Clients repeat what fails with 5xx.
TEST(HttpServer, WhatIsNotMendedByARetryIsNotToBeRetried) {
  TestServer house;
  Client client(house.port());
  for (const int status : {200, 400, 429, 500, 501, 503, 504}) {
    client.get("/hold");
    const auto exchange = house.held.take();
    ASSERT_TRUE(exchange);
    exchange->reply(status, "text/plain", "");
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.headers.contains("x-should-retry"),
              status == 500 || status == 501 || status == 504);
  }
}

TEST(HttpServer, WhatAClientSaysMakesNoLineOfItsOwnAndNoLongOne) {
  TestServer house;
  Client client(house.port());
  client.get("/throws/a%0aforged");
  EXPECT_EQ(client.answer().status, 500);
  client.get("/" + std::string(9000, 'a') + "%0a");
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 404);
  EXPECT_LT(answer.body.size(), 400u);
  EXPECT_NE(answer.body.find("9002 bytes"), std::string::npos) << answer.body;
  const std::lock_guard lock(house.mutex);
  ASSERT_EQ(house.problems.size(), 1u);
  EXPECT_EQ(house.problems[0].find('\n'), std::string::npos) << house.problems[0];
}

TEST(HttpServer, ErrorsAreShort) {
  const std::string text(1'000'000, 'a');
  const std::string json =
      to_json({.status = 400, .message = text, .type = {}, .param = text, .code = {}});
  EXPECT_LT(json.size(), 2500u);
  EXPECT_NE(json.find("aaa... (1000000 bytes)"), std::string::npos);
  EXPECT_EQ(bounded("abc", 3), "abc");
  EXPECT_EQ(bounded("abcd", 3), "abc... (4 bytes)");
}

// Most of it says nothing that could be told of a request, but it was one, and had an answer.
TEST(HttpServer, WhatLibmicrohttpdRefusesIsNoted) {
  TestServer house;
  const struct {
    std::string text;
    int status;
  } bad[] = {
      {"GET / HTTP/9.9\r\n\r\n", 505},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n", 431},
      {"GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400}};
  size_t n = 0;
  for (const auto& [text, status] : bad) {
    Client client(house.port());
    client.send(text);
    EXPECT_EQ(client.answer().status, status) << text.substr(0, 100);
    EXPECT_EQ(house.noted(n).status, status);
    EXPECT_EQ(house.noted(n++).route, "unreadable");
    EXPECT_TRUE(client.closed_by_server());
  }
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_EQ(house.answers.size(), n);  // each once
}

TEST(HttpServer, RequestIds) {
  TestServer house;
  Client client(house.port());
  client.get("/hello", "X-Request-Id: a.b-c_1:2/3\r\n");
  EXPECT_EQ(client.answer().headers.at("x-request-id"), "a.b-c_1:2/3");
  for (const std::string& given : {std::string(), std::string("X-Request-Id: a b\r\n"),
                                   "X-Request-Id: " + std::string(129, 'a') + "\r\n"}) {
    client.get("/hello", given);
    EXPECT_TRUE(client.answer().headers.at("x-request-id").starts_with("req-")) << given;
  }
}

TEST(HttpServer, KeysAreAskedForButOnOpenRoutes) {
  HttpServerOptions options;
  options.keys = {"first-key", "second"};
  TestServer house(std::move(options));
  Client client(house.port());
  const auto status = [&](const std::string& path, const std::string& header) {
    client.get(path, header);
    return client.answer().status;
  };
  EXPECT_EQ(status("/health", ""), 200);
  client.get("/hello");
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(error_of(answer)["code"], "invalid_api_key");
  for (const char* wrong :
       {"first-kez", "first-ke", "first-keyy", "", "firstkey", "second,first-key"})
    EXPECT_EQ(status("/hello", std::string("Authorization: Bearer ") + wrong + "\r\n"), 401)
        << wrong;
  EXPECT_EQ(status("/hello", "Authorization: Basic first-key\r\n"), 401);
  EXPECT_EQ(status("/hello", "Authorization: Bearer first-key\r\n"), 200);
  EXPECT_EQ(status("/hello", "authorization: bEaReR second\r\n"), 200);
  EXPECT_EQ(status("/hello", "X-Api-Key: second\r\n"), 200);
  EXPECT_EQ(status("/nothing", ""), 401);  // what there is is nobody's business
  EXPECT_EQ(status("/nothing", "X-Api-Key: second\r\n"), 404);
  client.get("/hold", "X-Api-Key: second\r\n");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->request().key, 1);
  exchange->reply(200, "", "");
}

TEST(HttpServer, OtherOriginsOnlyWhenAllowed) {
  TestServer closed;
  Client plain(closed.port());
  plain.get("/health", "Origin: https://a.example\r\n");
  EXPECT_FALSE(plain.answer().headers.contains("access-control-allow-origin"));

  HttpServerOptions options;
  options.origins = {"https://a.example"};
  options.keys = {"k"};
  TestServer house(std::move(options));
  Client client(house.port());
  client.send("OPTIONS /hold HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n");
  Answer answer = client.answer();
  EXPECT_EQ(answer.status, 204);  // a preflight shows no key
  EXPECT_EQ(answer.headers.at("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(answer.headers.at("access-control-allow-methods"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(answer.headers.at("access-control-allow-headers"),
            "Authorization, Content-Type, X-Api-Key, X-Request-Id");
  const auto allowed = [&](const std::string& asked) {
    client.send("OPTIONS /hold HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n" +
                ("Access-Control-Request-Headers: " + asked) + "\r\n\r\n");
    return client.answer().headers.at("access-control-allow-headers");
  };
  const std::string asked = "authorization, content-type,x-stainless-lang, openai-organization";
  EXPECT_EQ(allowed(asked), asked);
  for (const std::string& odd : {std::string("a, <b>"), std::string(3000, 'a')})
    EXPECT_EQ(allowed(odd), "Authorization, Content-Type, X-Api-Key, X-Request-Id");
  EXPECT_EQ(answer.headers.at("vary"), "Origin");
  client.get("/hello", "Origin: https://a.example\r\n");  // an error can be read as well
  answer = client.answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.headers.at("access-control-allow-origin"), "https://a.example");
  client.get("/hello", "Origin: https://b.example\r\nX-Api-Key: k\r\n");
  EXPECT_FALSE(client.answer().headers.contains("access-control-allow-origin"));
}

TEST(HttpServer, TellsThatItIsNotReady) {
  TestServer house;
  house.server->close(
      {.status = 503, .message = "half loaded", .type = {}, .param = {}, .code = {}});
  Client client(house.port());
  client.get("/hello");
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
  EXPECT_EQ(error_of(answer)["message"], "half loaded");
  client.get("/health");
  EXPECT_EQ(client.answer().status, 200);
}

TEST(HttpServer, AnswersInPiecesFromAnotherThread) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  exchange->begin(200, "text/event-stream", {{"Cache-Control", "no-store"}});
  EXPECT_TRUE(client.receive_until("\r\n\r\n"));  // before there is a piece
  std::string all;
  for (int i = 0; i < 50; ++i) {
    const std::string piece = "data: " + std::to_string(i) + "\n\n";
    EXPECT_TRUE(exchange->write(piece));
    EXPECT_TRUE(client.receive_until(piece)) << i;
    all += piece;
  }
  exchange->end();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body, all);
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  EXPECT_EQ(house.noted().bytes, static_cast<int64_t>(all.size()));
  EXPECT_TRUE(house.noted().whole);
  client.get("/hello");
  EXPECT_EQ(client.answer().body, "hello");
}

TEST(HttpServer, AnAnswerThatIsLetGoOfIsBrokenOff) {
  TestServer house;
  Client neighbour(house.port()), client(house.port());
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 2; }));
  client.get("/hold");
  auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  exchange->begin(200, "text/plain");
  exchange->write("half");
  EXPECT_TRUE(client.receive_until("half"));
  exchange.reset();
  const Answer answer = client.answer();
  EXPECT_FALSE(answer.whole);
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_FALSE(house.noted().whole);
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 1; }));
}

TEST(HttpServer, PingsWhileNothingIsWritten) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  exchange->ping(": ping\n\n", 0.05);
  exchange->begin(200, "text/event-stream");
  EXPECT_TRUE(client.receive_until(": ping\n\n"));
  exchange->end();
  const Answer answer = client.answer();
  EXPECT_TRUE(answer.whole);
}

TEST(HttpServer, AnswersTwiceAreAMistake) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  EXPECT_THROW(exchange->write("early"), InternalError);
  exchange->reply(200, "text/plain", "once");
  EXPECT_THROW(exchange->reply(200, "text/plain", "twice"), InternalError);
  EXPECT_THROW(exchange->begin(200, "text/plain"), InternalError);
  EXPECT_EQ(client.answer().body, "once");
}

}  // namespace
}  // namespace braid
