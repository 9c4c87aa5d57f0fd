#include "server/routes.h"

#include "base/check.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

Routes some() {
  Routes routes;
  const Handler nothing = [](const auto&) {};
  routes.add("GET", "/", nothing);
  routes.add("GET", "/v1/models", nothing);
  routes.add("GET", "/v1/models/{*}", nothing);
  routes.add("POST", "/slots/{}", nothing);
  routes.add("GET", "/slots/{}/tokens/{}", nothing);
  routes.add("POST", "/both", nothing);
  routes.add("GET", "/both", nothing);
  return routes;
}

TEST(Routes, PathsSegmentBySegment) {
  const Routes routes = some();
  const auto path_of = [&](const char* method, const char* path) {
    const RouteMatch match = routes.find(method, path);
    return match.route == nullptr ? std::string() : match.route->path;
  };
  EXPECT_EQ(path_of("GET", "/"), "/");
  EXPECT_EQ(path_of("GET", "/v1/models"), "/v1/models");
  for (const char* other :
       {"", "v1/models", "/v1", "/v1/model", "/v1/modelsx", "/v1/models/", "//v1/models",
        "/V1/models", "/slots/1/tokens", "/slots/1/tokens/2/3", "/slots//tokens/2", "*"})
    EXPECT_EQ(path_of("GET", other), "") << other;
}

TEST(Routes, Wildcards) {
  const Routes routes = some();
  EXPECT_EQ(routes.find("GET", "/v1/models/Qwen/Qwen3 Next").captured, Strings{"Qwen/Qwen3 Next"});
  EXPECT_EQ(routes.find("POST", "/slots/7").captured, Strings{"7"});
  EXPECT_EQ(routes.find("GET", "/slots/7/tokens/x").captured, (Strings{"7", "x"}));
}

TEST(Routes, Methods) {
  const Routes routes = some();
  EXPECT_EQ(routes.find("HEAD", "/v1/models").route->method, "GET");
  EXPECT_EQ(routes.find("POST", "/v1/models").route, nullptr);
  EXPECT_EQ(routes.find("POST", "/v1/models").allowed, (Strings{"GET", "HEAD"}));
  EXPECT_EQ(routes.find("PUT", "/both").allowed, (Strings{"POST", "GET", "HEAD"}));
  EXPECT_TRUE(routes.find("GET", "/none").allowed.empty());
}

TEST(Routes, NoneTwice) {
  Routes routes = some();
  EXPECT_THROW(routes.add("GET", "/both", [](const auto&) {}), InternalError);
  EXPECT_THROW(routes.add("GET", "both", [](const auto&) {}), InternalError);
  EXPECT_THROW(routes.add("GET", "/empty", nullptr), InternalError);
}

}  // namespace
}  // namespace braid
