// Clients that go, clients that do not read, and a server that ends: work stops soon, nothing hangs
// and no neighbour notices.
#include "server/http_server.h"
#include "server/test_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <list>

namespace braid {
namespace {

using namespace test;

struct Leaving {
  const char* name;
  void (*leave)(Client&);
};
void PrintTo(const Leaving& l, std::ostream* out) { *out << l.name; }

class ClientLeaves : public testing::TestWithParam<Leaving> {};
INSTANTIATE_TEST_SUITE_P(How, ClientLeaves,
                         testing::Values(Leaving{"Fin", [](Client& c) { c.close(); }},
                                         Leaving{"Rst", [](Client& c) { c.reset(); }}),
                         [](const auto& how) { return how.param.name; });

// As during a long prompt: the server has nothing to send, and nothing has been answered.
TEST_P(ClientLeaves, BeforeTheAnswer) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<int> calls{0};
  exchange->when_gone([&] { ++calls; });
  EXPECT_FALSE(exchange->gone());
  const auto start = Clock::now();
  GetParam().leave(client);
  EXPECT_TRUE(soon([&] { return calls == 1; }));
  EXPECT_LT(seconds_since(start), 0.25);
  EXPECT_TRUE(exchange->gone());
  EXPECT_EQ(house.noted().status, 499);
  exchange->reply(200, "text/plain", "to nobody");
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_EQ(calls, 1);
}

TEST_P(ClientLeaves, BetweenPieces) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<int> calls{0};
  exchange->when_gone([&] { ++calls; });
  exchange->begin(200, "text/event-stream");
  exchange->write("data: 1\n\n");
  EXPECT_TRUE(client.receive_until("data: 1"));
  const auto start = Clock::now();
  GetParam().leave(client);
  EXPECT_TRUE(soon([&] { return calls == 1; }));
  EXPECT_LT(seconds_since(start), 0.25);
  EXPECT_FALSE(exchange->write("data: 2\n\n"));
  exchange->end();
  EXPECT_EQ(house.noted().status, 200);
  EXPECT_FALSE(house.noted().whole);
}

TEST_P(ClientLeaves, WhileMuchIsWritten) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<int> calls{0};
  exchange->when_gone([&] { ++calls; });
  exchange->begin(200, "text/event-stream");
  std::thread leaver([&] {
    std::this_thread::sleep_for(30ms);
    GetParam().leave(client);
  });
  const std::string piece(1000, 'x');
  int written = 0;
  while (exchange->write(piece) && written < 100'000) {
    ++written;
    std::this_thread::sleep_for(100us);
  }
  leaver.join();
  EXPECT_LT(written, 100'000);
  EXPECT_TRUE(soon([&] { return calls == 1; }));
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
}

// Leaves before the handler has asked to be told.
TEST_P(ClientLeaves, BeforeAnybodyListens) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  GetParam().leave(client);
  EXPECT_TRUE(soon([&] { return exchange->gone(); }));
  int calls = 0;
  exchange->when_gone([&] { ++calls; });
  EXPECT_EQ(calls, 1);
  exchange->when_gone([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST_P(ClientLeaves, InTheMiddleOfItsBody) {
  TestServer house;
  {
    Client client(house.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
    EXPECT_TRUE(soon([&] { return house.server->stats().connections == 1; }));
    GetParam().leave(client);
  }
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  Client client(house.port());
  client.get("/hello");
  EXPECT_EQ(client.answer().status, 200);
}

TEST(Leaving, AnotherRequestIsOnItsWayAlready) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  client.get("/hello");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<int> calls{0};
  exchange->when_gone([&] { ++calls; });
  client.close();
  EXPECT_TRUE(soon([&] { return calls == 1; }));
}

TEST(Leaving, WhoIsToldNoMoreIsNotCalled) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<bool> inside{false}, leave{false}, ended{false};
  exchange->when_gone([&] {
    inside = true;
    while (!leave) std::this_thread::sleep_for(1ms);
    ended = true;
  });
  client.close();
  ASSERT_TRUE(soon([&] { return inside.load(); }));
  std::thread later([&] {
    std::this_thread::sleep_for(30ms);
    leave = true;
  });
  exchange->when_gone({});  // waits for the call under way
  EXPECT_TRUE(ended);
  later.join();

  Client other(house.port());
  other.get("/hold");
  const auto second = house.held.take();
  ASSERT_TRUE(second);
  std::atomic<int> calls{0};
  second->when_gone([&] { ++calls; });
  second->when_gone({});
  other.close();
  EXPECT_TRUE(soon([&] { return second->gone(); }));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(calls, 0);
}

// A worker is busy, and whoever comes posts and hangs up: what they leave behind is counted, and
// nobody works for them.
TEST_P(ClientLeaves, BeforeAWorkerIsFree) {
  HttpServerOptions options;
  options.limits.workers = 1;
  options.limits.requests = 4;
  options.limits.body_bytes = 1000;
  options.limits.bodies_bytes = 2500;
  TestServer house(std::move(options));
  Client busy(house.port());
  busy.get("/blocks");
  ASSERT_TRUE(soon([&] { return house.blocked.load(); }));
  const auto post_and_leave = [&](size_t bytes, size_t nth) {
    Client client(house.port());
    client.post("/hold", std::string(bytes, 'a'));
    EXPECT_TRUE(soon([&] { return house.server->stats().requests == 2 + int64_t(nth); }));
    GetParam().leave(client);
    EXPECT_EQ(house.noted(nth).status, 499);
  };
  post_and_leave(1000, 0);
  post_and_leave(1000, 1);
  Client large(house.port()), other(house.port());
  large.post("/echo", std::string(1000, 'a'));
  EXPECT_EQ(large.answer().status, 503);
  EXPECT_EQ(house.noted(2).status, 503);
  house.server->stats();
  Client third(house.port());
  third.post("/hold", "a");
  EXPECT_TRUE(soon([&] { return house.server->stats().requests == 4; }));
  GetParam().leave(third);
  EXPECT_EQ(house.noted(3).status, 499);
  other.get("/hello");
  EXPECT_EQ(other.answer().status, 503);
  house.blocked = false;
  EXPECT_EQ(busy.answer().status, 200);
  EXPECT_TRUE(soon([&] { return house.server->stats().requests == 0; }));
  EXPECT_EQ(house.held.count(), 0u);
  large.post("/echo", std::string(1000, 'a'));
  EXPECT_EQ(large.answer().status, 200);
}

TEST_P(ClientLeaves, WhileAHandlerHasItsRequest) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  GetParam().leave(client);
  EXPECT_EQ(house.noted().status, 499);
  EXPECT_EQ(house.server->stats().requests, 1);
  exchange.reset();
  EXPECT_EQ(house.server->stats().requests, 0);
}

TEST(Leaving, AnEndedAnswerTellsNobody) {
  TestServer house;
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<int> calls{0};
  exchange->when_gone([&] { ++calls; });
  exchange->reply(200, "text/plain", "all");
  EXPECT_EQ(client.answer().body, "all");
  client.close();
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }));
  EXPECT_EQ(calls, 0);
}

TEST(SlowReaders, AreDropped) {
  HttpServerOptions options;
  options.limits.unread_bytes = 100'000;
  TestServer house(std::move(options));
  Client client(house.port()), neighbour(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::atomic<int> calls{0};
  exchange->when_gone([&] { ++calls; });
  exchange->begin(200, "text/event-stream");
  const std::string piece(10'000, 'x');
  int written = 0;
  while (written < 10'000 && exchange->write(piece)) {
    ++written;
    std::this_thread::sleep_for(200us);
  }
  EXPECT_LT(written, 10'000);
  EXPECT_TRUE(soon([&] { return calls == 1; }));
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 1; }));
  neighbour.get("/hello");
  EXPECT_EQ(neighbour.answer().status, 200);
  EXPECT_FALSE(house.noted(0).whole && house.noted(1).whole);
}

// Each is within its own bound: those that hold much of what all may hold are dropped.
TEST(SlowReaders, AreDroppedForWhatAllHoldTogether) {
  HttpServerOptions options;
  options.limits.unread_bytes = 400'000'000;
  options.limits.answers_bytes = 1'000'000;
  TestServer house(std::move(options));
  Client reads(house.port());
  reads.get("/hold");
  const auto good = house.held.take();
  ASSERT_TRUE(good);
  good->begin(200, "text/event-stream");
  std::list<Client> hogs;
  std::vector<std::shared_ptr<Exchange>> exchanges;
  for (int i = 0; i < 3; ++i) {
    hogs.emplace_back(house.port()).get("/hold");
    exchanges.push_back(house.held.take());
    ASSERT_TRUE(exchanges.back());
    exchanges.back()->begin(200, "text/event-stream");
  }
  const std::string piece(10'000, 'x');
  size_t dropped = 0;
  for (int written = 0; written < 10'000 && dropped < hogs.size(); ++written) {
    dropped = 0;
    for (const auto& exchange : exchanges) dropped += exchange->write(piece) ? 0 : 1;
    EXPECT_TRUE(good->write("data\n\n"));
    std::this_thread::sleep_for(200us);
  }
  EXPECT_EQ(dropped, hogs.size());
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 1; }));
  good->write("last");
  good->end();
  EXPECT_TRUE(reads.receive_until("last"));
}

// For now, or for good when all the room would not do.
TEST(SlowReaders, AWholeAnswerThatFindsNoRoomIsRefused) {
  HttpServerOptions options;
  options.limits.answers_bytes = 40'000'000;
  TestServer house(std::move(options));
  constexpr size_t kFits = 18'000'000, kNever = 21'000'000;  // of which the network takes a part
  Client client(house.port()), hog(house.port());
  const auto answered_with = [&](size_t bytes) {
    client.get("/hold");
    const auto exchange = house.held.take();
    EXPECT_TRUE(exchange);
    if (exchange) exchange->reply(200, "text/plain", std::string(bytes, 'x'));
    return client.answer();
  };
  const auto is_never = [&] {
    const Answer answer = answered_with(kNever);
    EXPECT_FALSE(answer.headers.contains("retry-after"));
    return answer.status == 400 && answer.body.find("\"answer_too_large\"") != std::string::npos;
  };
  // What was sent is given back.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(answered_with(kFits).body.size(), kFits);
  EXPECT_TRUE(is_never());
  hog.get("/hold");
  const auto unread = house.held.take();
  ASSERT_TRUE(unread);
  unread->reply(200, "text/plain", std::string(kFits, 'x'));
  const Answer later = answered_with(kFits);
  EXPECT_EQ(later.status, 503);
  EXPECT_TRUE(later.headers.contains("retry-after"));
  EXPECT_TRUE(is_never());
  hog.close();
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 1; }));
  EXPECT_EQ(answered_with(kFits).status, 200);
}

TEST(SlowReaders, WhoReadsIsNotHurtWhenOthersHoldAll) {
  HttpServerOptions options;
  options.limits.answers_bytes = 0;
  TestServer house(std::move(options));
  Client client(house.port());
  client.get("/hold");
  const auto stream = house.held.take();
  ASSERT_TRUE(stream);
  stream->begin(200, "text/event-stream");
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(stream->write(std::string(10'000, 'x') + std::to_string(i)));
    EXPECT_TRUE(client.receive_until("x" + std::to_string(i)));
  }
  EXPECT_FALSE(stream->write(std::string(70'000, 'x')));
  Client other(house.port());
  other.get("/hello");
  EXPECT_EQ(other.answer().status, 200);
}

TEST(SlowReaders, WhoTakesNothingOfAWholeAnswerIsDroppedInTheEnd) {
  HttpServerOptions options;
  options.limits.stalled_seconds = options.limits.head_seconds = options.limits.body_seconds =
      options.limits.idle_seconds = 1;
  TestServer house(std::move(options));
  Client client(house.port());
  client.get("/hold");
  const auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  exchange->reply(200, "text/plain", std::string(50'000'000, 'x'));
  EXPECT_TRUE(soon([&] { return house.server->stats().connections == 0; }, 8s));
  EXPECT_FALSE(house.noted().whole);
}

TEST(Stopping, LetsWorkEndAndTakesNoMore) {
  TestServer house;
  Client working(house.port()), idle(house.port());
  idle.get("/hello");
  EXPECT_EQ(idle.answer().status, 200);
  working.get("/hold");
  auto exchange = house.held.take();
  ASSERT_TRUE(exchange);
  std::thread stopping([&] { house.server->stop(5); });
  EXPECT_TRUE(idle.closed_by_server(2s));
  EXPECT_TRUE(soon([&] { return !Client(house.port()).connected(); }));
  EXPECT_FALSE(exchange->gone());
  exchange->reply(200, "text/plain", "done");
  const Answer answer = working.answer();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  stopping.join();
  EXPECT_TRUE(working.closed_by_server());
}

TEST(Stopping, DropsWhatRemains) {
  TestServer house;
  Client waiting(house.port()), streaming(house.port());
  waiting.get("/hold");
  auto first = house.held.take();
  streaming.get("/hold");
  auto second = house.held.take();
  ASSERT_TRUE(first && second);
  second->begin(200, "text/event-stream");
  second->write("data\n\n");
  std::atomic<int> calls{0};
  first->when_gone([&] { ++calls; });
  second->when_gone([&] { ++calls; });
  const auto start = Clock::now();
  house.server->stop(0.1);
  EXPECT_LT(seconds_since(start), 1.5);
  EXPECT_EQ(calls, 2);
  EXPECT_FALSE(second->write("more"));
  second->end();
  house.server.reset();  // exchanges may outlive the server
  first->reply(200, "text/plain", "late");
}

TEST(Stopping, UnderLoad) {
  HttpLimits limits;
  limits.workers = 3;
  HttpServerOptions options;
  options.limits = limits;
  TestServer house(std::move(options));
  std::atomic<bool> ending{false};
  std::atomic<int> answered{0};
  std::list<std::thread> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&, i] {
      while (!ending) {
        Client client(house.port());
        if (!client.connected()) return;
        for (int n = 0; n < 5; ++n) {
          const bool sent = i % 2 == 0 ? client.get("/hello") : client.post("/echo", "abc");
          const Answer answer = client.answer();
          if (!sent || answer.status == 0) break;
          EXPECT_TRUE(answer.status == 200 || answer.status == 503) << answer.status;
          if (answer.status == 200) ++answered;
          if (n == 3) client.reset();
          if (n == 3) break;
        }
      }
    });
  EXPECT_TRUE(soon([&] { return answered > 200; }));
  house.server->stop(2);
  ending = true;
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace braid
