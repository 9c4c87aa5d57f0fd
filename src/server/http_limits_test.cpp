// Sizes, numbers and times: what is too large, too many or too slow is told so, and nobody else
// suffers.
#include "server/http_server.h"
#include "server/test_client.h"

#include <gtest/gtest.h>

#include <list>

namespace braid {
namespace {

using namespace test;

HttpServerOptions with(const HttpLimits& limits) {
  HttpServerOptions options;
  options.limits = limits;
  return options;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(HttpLimits, HeadsThatAreTooLarge) {
  HttpLimits limits;
  limits.head_bytes = 8192;
  TestServer house(with(limits));
  Client client(house.port());
  client.get("/hello", "X-Large: " + std::string(6000, 'a') + "\r\n");
  EXPECT_EQ(client.answer().status, 200);
  client.get("/hello", "X-Large: " + std::string(20'000, 'a') + "\r\n");
  EXPECT_EQ(client.answer().status, 431);
  EXPECT_TRUE(client.closed_by_server());
  Client other(house.port());
  other.get("/" + std::string(20'000, 'a'));
  EXPECT_EQ(other.answer().status, 414);
  Client many(house.port());
  std::string headers;
  for (int i = 0; i < 3000; ++i) headers += "A: b\r\n";
  many.get("/hello", headers);
  EXPECT_EQ(many.answer().status, 431);
}

TEST(HttpLimits, BodiesThatAreTooLarge) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  TestServer house(with(limits));
  Client client(house.port());
  client.post("/echo", std::string(1000, 'a'));
  EXPECT_EQ(client.answer().status, 200);
  client.post("/echo", std::string(1001, 'a'));
  Answer answer = client.answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.body.find("1001"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("body_too_large"), std::string::npos);
  EXPECT_TRUE(client.closed_by_server());

  Client chunks(house.port());
  chunks.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 11; ++i) chunks.send("64\r\n" + std::string(100, 'a') + "\r\n");
  chunks.send("0\r\n\r\n");
  EXPECT_EQ(chunks.answer().status, 413);
}

// Whoever still sends when the answer comes can read it: no reset takes it away.
TEST(HttpLimits, AClientInTheMiddleOfALargeBodyHearsWhy) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  TestServer house(with(limits));
  for (const size_t bytes : {size_t{500'000}, size_t{20'000'000}}) {
    Client client(house.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) +
                "\r\n\r\n");
    const std::string part(100'000, 'a');
    for (size_t sent = 0; sent < bytes && client.send(part); sent += part.size()) continue;
    EXPECT_EQ(client.answer().status, 413) << bytes;
  }
  Client client(house.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n");
  EXPECT_EQ(client.answer().status, 413);
  client.closed_by_server();
  EXPECT_EQ(count_of(client.seen(), "HTTP/1.1"), 0u);  // one answer, not two
}

TEST(HttpLimits, AnEndlessChunkedBodyIsCutOff) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  TestServer house(with(limits));
  Client client(house.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "8000\r\n" + std::string(0x8000, 'a') + "\r\n";
  int sent = 0;
  while (sent < 1000 && client.send(chunk)) ++sent;
  EXPECT_LT(sent, 1000);
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
}

TEST(HttpLimits, BodiesOfAllTogether) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  limits.bodies_bytes = 1500;
  TestServer house(with(limits));
  Client first(house.port()), second(house.port());
  first.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" +
             std::string(900, 'a'));
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 2; }));
  std::this_thread::sleep_for(20ms);
  second.post("/echo", std::string(1000, 'b'));
  const Answer answer = second.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
  first.send(std::string(100, 'c'));
  EXPECT_EQ(first.answer().status, 200);
  EXPECT_TRUE(soon([&] {  // given back, when its handler has returned
    second.post("/echo", std::string(1000, 'b'));
    return second.answer().status == 200;
  }));
}

TEST(HttpLimits, ABodyCountsUntilItsHandlerReturns) {
  HttpLimits limits;
  limits.body_bytes = limits.bodies_bytes = 1000;
  TestServer house(with(limits));
  Client first(house.port()), second(house.port());
  first.post("/hold", std::string(1000, 'a'));
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  EXPECT_TRUE(soon([&] {
    second.post("/echo", std::string(1000, 'b'));
    return second.answer().status == 200;
  }));
  EXPECT_EQ(exchange->request().body.capacity(), std::string().capacity());
  exchange->reply(200, "text/plain", "");
}

TEST(HttpLimits, WhenARequestArrived) {
  HttpLimits limits;
  limits.workers = 1;
  TestServer house(with(limits));
  Client busy(house.port()), waiting(house.port());
  busy.get("/blocks");
  ASSERT_TRUE(soon([&] { return house.blocked.load(); }));
  waiting.get("/hold");
  EXPECT_TRUE(soon([&] { return house.server->stats().requests == 2; }));
  std::this_thread::sleep_for(20ms);
  const auto freed = Clock::now();
  house.blocked = false;
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  EXPECT_LT(exchange->request().arrived, freed - 15ms);
  exchange->reply(200, "text/plain", "");
}

TEST(HttpLimits, RequestsInWork) {
  HttpLimits limits;
  limits.requests = 2;
  TestServer house(with(limits));
  Client a(house.port()), b(house.port()), c(house.port());
  a.get("/hold");
  b.get("/hold");
  const auto first = house.held.take(), second = house.held.take();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(house.server->stats().requests, 2);
  c.get("/hold");
  const Answer answer = c.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.headers.contains("retry-after"));
  c.get("/health");  // no work
  EXPECT_EQ(c.answer().status, 200);
  first->reply(200, "text/plain", "1");
  EXPECT_TRUE(soon([&] { return house.server->stats().requests == 1; }));
  c.get("/hello");
  EXPECT_EQ(c.answer().status, 200);
  second->reply(200, "text/plain", "2");
}

TEST(HttpLimits, Connections) {
  HttpLimits limits;
  limits.connections = 3;
  TestServer house(with(limits));
  std::list<Client> idle;
  for (int i = 0; i < 3; ++i) {
    idle.emplace_back(house.port());
    idle.back().get("/hello");
    EXPECT_EQ(idle.back().answer().status, 200);
  }
  Client excess(house.port());
  excess.get("/hello");
  const Answer answer = excess.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
  EXPECT_TRUE(excess.closed_by_server());
  idle.pop_front();
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 2; }));
  Client next(house.port());
  next.get("/hello");
  EXPECT_EQ(next.answer().status, 200);
}

TEST(HttpLimits, TwoHundredIdleConnectionsHoldNobodyUp) {
  TestServer house;
  std::list<Client> idle;
  for (int i = 0; i < 200; ++i) {
    idle.emplace_back(house.port());
    if (i % 2 == 0) idle.back().send("GET /hello HTT");
  }
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 200; }));
  Client client(house.port());
  const auto start = Clock::now();
  for (int i = 0; i < 50; ++i) {
    client.get("/hello");
    EXPECT_EQ(client.answer().status, 200);
  }
  EXPECT_LT(seconds_since(start), 1.0);
  for (Client& one : idle) {
    one.send(idle.size() % 2 == 0 && &one == &idle.front() ? "P/1.1\r\nHost: a\r\n\r\n" : "");
  }
  EXPECT_EQ(idle.front().answer().status, 200);
}

HttpLimits impatient() {
  HttpLimits limits;
  limits.head_seconds = limits.body_seconds = limits.idle_seconds = 0.3;
  return limits;
}

TEST(HttpLimits, AHeadThatComesByteByByte) {
  TestServer house(with(impatient()));
  Client client(house.port());
  const std::string head = "GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(1000, 'a');
  const auto start = Clock::now();
  for (size_t i = 0; i < head.size() && seconds_since(start) < 3; ++i) {
    if (!client.send(head.substr(i, 1))) break;
    if (client.receive(20ms)) break;
  }
  EXPECT_EQ(client.answer().status, 408);
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_GE(seconds_since(start), 0.29);
  EXPECT_LT(seconds_since(start), 1.5);
  const HttpAnswer noted = house.noted();
  EXPECT_EQ(noted.status, 408);
  EXPECT_EQ(noted.route, "unreadable");
  EXPECT_EQ(noted.client, "127.0.0.1");
}

TEST(HttpLimits, AConnectionThatSaysNothing) {
  TestServer house(with(impatient()));
  Client client(house.port());
  EXPECT_TRUE(client.closed_by_server(2s));
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_EQ(house.noted().status, 408);
  // One that goes by itself is not late.
  Client(house.port()).send("GET /hel");
  Client(house.port()).get("/hello");
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_NE(house.noted(1).status, 408);
  EXPECT_EQ(house.noted(1).route, "/hello");
}

TEST(HttpLimits, ABodyThatComesByteByByte) {
  TestServer house(with(impatient()));
  Client client(house.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  const auto start = Clock::now();
  while (seconds_since(start) < 3 && client.send("a") && !client.receive(20ms)) continue;
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(answer.whole);
  EXPECT_LT(seconds_since(start), 1.5);
  EXPECT_EQ(house.noted().status, 408);
  EXPECT_EQ(house.noted().route, "/echo");
  EXPECT_FALSE(house.noted().whole);
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_EQ(house.notes(), 1u);  // and not once more
}

TEST(HttpLimits, ABodyMayTakeLongerThanAHead) {
  HttpLimits limits = impatient();
  limits.body_seconds = 5;
  TestServer house(with(limits));
  Client client(house.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
  std::this_thread::sleep_for(700ms);
  client.send("def");
  EXPECT_EQ(client.answer().body, "abcdef");
}

TEST(HttpLimits, AnIdleConnectionEndsWithoutAWord) {
  TestServer house(with(impatient()));
  Client client(house.port());
  client.get("/hello");
  EXPECT_EQ(client.answer().status, 200);
  const auto start = Clock::now();
  EXPECT_TRUE(client.closed_by_server(3s));
  EXPECT_GE(seconds_since(start), 0.29);
  EXPECT_EQ(client.seen(), "");
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_EQ(house.notes(), 1u);
}

TEST(HttpLimits, WorkMayTakeAsLongAsItLikes) {
  TestServer house(with(impatient()));
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::this_thread::sleep_for(900ms);
  EXPECT_FALSE(exchange->gone());
  exchange->reply(200, "text/plain", "late");
  EXPECT_EQ(client.answer().body, "late");
}

}  // namespace
}  // namespace braid
