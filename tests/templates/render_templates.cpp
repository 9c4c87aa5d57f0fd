// Renders templates for scripts/compare_templates.py. A line of the input is a JSON object with
// "template" and "contexts", a line of the output has "results": for each context {"output": text}
// or {"error": message}, and "arguments", the form that the template wants them in. A template that
// does not parse has its error in "error" instead.
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/check.h"
#include "text/chat_template.h"

namespace {

using Json = nlohmann::ordered_json;

// 2026-09-05 14:07:09, a Saturday: the clock of the script.
std::tm fixed_time() {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 8;
  time.tm_mday = 5;
  time.tm_hour = 14;
  time.tm_min = 7;
  time.tm_sec = 9;
  time.tm_wday = 6;
  time.tm_yday = 247;
  return time;
}

Json render(const braid::ChatTemplate& chat, const Json& context) {
  try {
    return {{"output", chat.render(context)}};
  } catch (const braid::Error& error) {
    return {{"error", error.what()}};
  }
}

Json answer(const Json& request) {
  braid::ChatTemplateOptions options;
  options.now = fixed_time;
  try {
    const braid::ChatTemplate chat(request["template"].get<std::string>(), std::move(options));
    Json results = Json::array();
    for (const Json& context : request["contexts"]) results.push_back(render(chat, context));
    const bool texts = braid::wanted_call_arguments(chat) == braid::CallArguments::kTexts;
    return {{"results", std::move(results)}, {"arguments", texts ? "texts" : "objects"}};
  } catch (const braid::Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(Json::parse(line)).dump() << std::endl;
  }
  return 0;
}
