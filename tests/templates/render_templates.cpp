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
#include "text/test_clock.h"

namespace {

using Json = nlohmann::ordered_json;

Json render(const braid::ChatTemplate& chat, const Json& context) {
  try {
    return {{"output", chat.render(context)}};
  } catch (const braid::Error& error) {
    return {{"error", error.what()}};
  }
}

Json answer(const Json& request) {
  braid::ChatTemplateOptions options;
  options.now = braid::fixed_time;
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
