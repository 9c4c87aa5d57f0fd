#include "server/access_log.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

const auto kNow =
    std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'042));

HttpAnswer answer() {
  return {.id = "req-1",
          .method = "POST",
          .path = "/v1/chat/completions",
          .client = "127.0.0.1",
          .route = "/v1/chat/completions",
          .status = 200,
          .seconds = 0.01234,
          .bytes = 77,
          .whole = true};
}

TEST(AccessLog, Text) {
  EXPECT_EQ(log_line(answer(), LogFormat::kText, kNow),
            "2023-11-14T22:13:20.042Z 127.0.0.1 POST /v1/chat/completions 200 12.3 ms 77 bytes "
            "req-1");
}

TEST(AccessLog, Json) {
  HttpAnswer one = answer();
  one.whole = false;
  const auto line = nlohmann::json::parse(log_line(one, LogFormat::kJson, kNow));
  EXPECT_EQ(line["time"], "2023-11-14T22:13:20.042Z");
  EXPECT_EQ(line["id"], "req-1");
  EXPECT_EQ(line["method"], "POST");
  EXPECT_EQ(line["path"], "/v1/chat/completions");
  EXPECT_EQ(line["status"], 200);
  EXPECT_EQ(line["ms"], 12.3);
  EXPECT_EQ(line["bytes"], 77);
  EXPECT_EQ(line["cut_off"], true);
}

TEST(AccessLog, APathMakesNoLineOfItsOwn) {
  HttpAnswer one = answer();
  one.path = "/a\n2023 forged\x1b[2J\xff";
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line = log_line(one, format, kNow);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find('\xff'), std::string::npos);
  }
}

TEST(AccessLog, APathIsBounded) {
  HttpAnswer one = answer();
  one.path = "/" + std::string(30'000, '\x01');
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line = log_line(one, format, kNow);
    EXPECT_LT(line.size(), 2200u);
    EXPECT_NE(line.find("... (30001 bytes)"), std::string::npos);
  }
}

}  // namespace
}  // namespace braid
