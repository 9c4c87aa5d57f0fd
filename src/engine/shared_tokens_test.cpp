#include "engine/shared_tokens.h"

#include <gtest/gtest.h>

#include <span>

namespace braid {
namespace {

TEST(SharedTokens, CopiesShareAndReadAsAVector) {
  const SharedTokens tokens = {3, 1, 2};
  const SharedTokens copy = tokens;
  EXPECT_EQ(&copy.get(), &tokens.get());
  EXPECT_EQ(copy.get(), (std::vector<int32_t>{3, 1, 2}));
  EXPECT_EQ(std::span<const int32_t>(copy)[2], 2);
  EXPECT_EQ(copy.size(), 3u);
  EXPECT_EQ(SharedTokens().size(), 0u);
}

// What they are a part of lives as long as they do.
TEST(SharedTokens, KeepWhatTheyAreAPartOf) {
  struct Plan {
    std::vector<int32_t> ids;
  };
  auto plan = std::make_shared<Plan>(Plan{{5, 6}});
  const std::weak_ptr<Plan> watched = plan;
  SharedTokens tokens{std::shared_ptr<const std::vector<int32_t>>(plan, &plan->ids)};
  plan.reset();
  EXPECT_EQ(tokens.get(), (std::vector<int32_t>{5, 6}));
  tokens = {};
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace braid
