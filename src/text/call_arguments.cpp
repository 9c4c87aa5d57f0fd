#include "text/call_arguments.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "text/chat_template.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/printing.h"

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::string as_text(const Json& arguments) {
  jinja::Meter meter{jinja::Limits{}};
  try {
    return jinja::to_json(meter, jinja::from_json(meter, arguments), {});
  } catch (const jinja::Failure& failure) {
    fail("the arguments of a tool call: {}", failure.what());
  }
}

void convert(Json& arguments, CallArguments form) {
  if (form == CallArguments::kTexts && arguments.is_object()) {
    arguments = as_text(arguments);
  } else if (form == CallArguments::kObjects && arguments.is_string()) {
    const auto& text = arguments.get_ref<const std::string&>();
    Json object = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
    if (object.is_object()) arguments = std::move(object);
  }
}

// A key and a value that nobody else writes.
constexpr const char* kKey = "pkey";
constexpr const char* kValue = "pvalue";

Json conversation(CallArguments form, const Json& content) {
  const Json call = {
      {"id", "call00001"},
      {"type", "function"},
      {"function", {{"name", "probe"}, {"arguments", Json::object({{kKey, kValue}})}}}};
  Json message = {{"role", "assistant"}, {"tool_calls", Json::array({call})}};
  message["content"] = content;
  return Json::array(
      {{{"role", "user"}, {"content", "q"}},
       with_call_arguments(std::move(message), form),
       {{"role", "tool"}, {"tool_call_id", "call00001"}, {"name", "probe"}, {"content", "r"}}});
}

std::optional<std::string> render(const ChatTemplate& chat, CallArguments form,
                                  const Json& content) {
  const Json parameters = {{"type", "object"},
                           {"properties", {{kKey, {{"type", "string"}, {"description", "d"}}}}},
                           {"required", Json::array({kKey})}};
  const Json tools = Json::array(
      {{{"type", "function"},
        {"function", {{"name", "probe"}, {"description", "d"}, {"parameters", parameters}}}}});
  const Json messages = conversation(form, content);
  ChatInput input;
  input.messages = &messages;
  input.tools = &tools;
  input.add_generation_prompt = false;
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  try {
    return chat.render(make_chat_context(input));
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

CallArguments wanted_call_arguments(const ChatTemplate& chat) {
  // Some templates show a call only when there is no text beside it, some fail without one.
  for (const Json& content : {Json(), Json(""), Json("a")}) {
    const auto objects = render(chat, CallArguments::kObjects, content);
    const auto texts = render(chat, CallArguments::kTexts, content);
    const auto has = [](const auto& text, const char* what) {
      return text && text->find(what) != std::string::npos;
    };
    if (!has(objects, kValue) && !has(texts, kValue)) continue;
    // Python's {'pkey': 'pvalue'} is no JSON.
    const bool bad = !objects || (has(objects, "'pkey'") && texts);
    return bad ? CallArguments::kTexts : CallArguments::kObjects;
  }
  return CallArguments::kObjects;
}

Json with_call_arguments(Json message, CallArguments form) {
  if (form == CallArguments::kAsGiven || !message.is_object()) return message;
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || !calls->is_array()) return message;
  for (Json& call : *calls) {
    if (!call.is_object()) continue;
    const auto function = call.find("function");
    Json& holder = function != call.end() && function->is_object() ? *function : call;
    const auto arguments = holder.find("arguments");
    if (arguments != holder.end()) convert(*arguments, form);
  }
  return message;
}

}  // namespace braid
