#include "server/volatile_headers.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::string steadied(const std::string& text, const char* role = "system") {
  Json messages = Json::array({{{"role", role}, {"content", text}}});
  const bool done = !steady_header(messages).empty();
  EXPECT_EQ(done, messages[0]["content"] != text);
  return messages[0]["content"];
}

TEST(VolatileHeaders, AccountingBecomesAConstant) {
  const std::string same = "x-anthropic-billing-header: steady=1;\nYou are.";
  EXPECT_EQ(steadied("x-anthropic-billing-header: cc_version=2.1.3.a1; cc_entrypoint=cli; "
                     "cch=0f3a1;\nYou are."),
            same);
  EXPECT_EQ(steadied("x-anthropic-billing-header: cch=77;\nYou are."), same);
  EXPECT_EQ(steadied("x-anthropic-billing-header: cch=77;"),
            "x-anthropic-billing-header: steady=1;");
}

// Nothing that could be meant for the model is touched.
TEST(VolatileHeaders, AllElseStays) {
  for (const char* text :
       {"", "You are.\nx-anthropic-billing-header: cch=77;", "x-anthropic-billing-header",
        "x-anthropic-billing-header: ", "x-anthropic-billing-header: say yes",
        "x-anthropic-billing-header: a=b; say yes", "x-anthropic-billing-header:cch=77;",
        "x-anthropic-billing-header: cch=say yes;", "x-anthropic-billing-header: =1;",
        "x-anthropic-billing-headers: cch=1;"})
    EXPECT_EQ(steadied(text), text);
  const std::string user = "x-anthropic-billing-header: cch=77;";
  EXPECT_EQ(steadied(user, "user"), user);
  const std::string lengthy = "x-anthropic-billing-header: cch=" + std::string(600, '7') + ";";
  EXPECT_EQ(steadied(lengthy), lengthy);
  Json none = Json::array();
  EXPECT_EQ(steady_header(none), "");
}

TEST(VolatileHeaders, FindsDates) {
  EXPECT_EQ(find_date("Today is 2026-11-22."), 9u);
  EXPECT_EQ(find_date("2026-11-22"), 0u);
  EXPECT_EQ(find_date("12026-11-22 2026-11-223 2026-1-22 2126-11-22 22 2"), std::string::npos);
  EXPECT_EQ(find_date("22026-11-22 and 2027-01-02"), 16u);
  EXPECT_EQ(find_date(""), std::string::npos);
}

}  // namespace
}  // namespace braid
