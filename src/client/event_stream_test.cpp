#include "client/event_stream.h"

#include "base/check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

// The events of a text that comes in pieces of so many bytes.
Strings events_of(const std::string& text, size_t piece) {
  Strings events;
  EventReader reader([&](std::string_view data) {
    events.emplace_back(data);
    return true;
  });
  for (size_t at = 0; at < text.size(); at += piece)
    EXPECT_TRUE(reader.feed(std::string_view(text).substr(at, piece)));
  return events;
}

TEST(EventStream, AnyCutAndAnyLineEnd) {
  const std::string text =
      ": ping\n\ndata: {\"a\":1}\n\nevent: error\r\ndata:second\r\n\r\ndata: two\rdata:  lines\r\r"
      "id: 7\nretry: 10\n\ndata\n\ndata: [DONE]\n\n";
  const Strings expected = {"{\"a\":1}", "second", "two\n lines", "", "[DONE]"};
  for (size_t piece = 1; piece <= text.size(); ++piece)
    EXPECT_EQ(events_of(text, piece), expected) << "pieces of " << piece;
}

TEST(EventStream, WhatIsNotEndedIsNoEvent) {
  EXPECT_EQ(events_of("data: one\n\ndata: two\n", 64), Strings{"one"});
}

TEST(EventStream, StopsWhenToldTo) {
  int seen = 0;
  EventReader reader([&](std::string_view) { return ++seen < 2; });
  EXPECT_FALSE(reader.feed("data: 1\n\ndata: 2\n\ndata: 3\n\n"));
  EXPECT_EQ(seen, 2);
}

TEST(EventStream, AnEventWithoutEndIsAnError) {
  EventReader reader([](std::string_view) { return true; });
  const std::string piece(size_t{1} << 20, 'x');
  EXPECT_THROW(
      {
        for (int i = 0; i < 70; ++i) reader.feed(piece);
      },
      Error);
}

}  // namespace
}  // namespace braid
