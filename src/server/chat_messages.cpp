#include "server/chat_messages.h"

#include "format/printable.h"
#include "server/api_error.h"
#include "server/json_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;

constexpr size_t kMostMessages = 10'000;

std::string text_part(const Json& given, const std::string& path) {
  Fields part(given, path);
  const auto type = part.text("type");
  if (!type) refuse(path + ".type", "{}.type is missing", path);
  if (*type != "text")
    refuse(path, "{}: a part of type \"{}\" is not supported: this model reads text alone", path,
           printable(*type));
  const auto text = part.text("text");
  if (!text) refuse(path + ".text", "{}.text is missing", path);
  part.finish();
  return *text;
}

// Nothing when there is none.
std::optional<std::string> read_content(Fields& message, std::string_view name) {
  const Json* content = message.find(name);
  if (!content) return std::nullopt;
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) message.wrong(name, *content, "a text or a list of parts");
  std::string text;
  for (size_t i = 0; i < content->size(); ++i) {
    if (i > 0) text += '\n';
    text += text_part((*content)[i], fmt::format("{}[{}]", message.path_of(name), i));
  }
  return text;
}

Json read_call(const Json& given, const std::string& path) {
  Fields call(given, path);
  Json out = Json::object();
  if (const auto id = call.text("id")) out["id"] = *id;
  call.integer("index");  // of streamed pieces, which clients put together
  const auto type = call.text("type");
  if (type && *type != "function")
    refuse(path + ".type", "{}.type is \"{}\"; only \"function\" is known", path, printable(*type));
  out["type"] = "function";
  const Json* given_function = call.find("function");
  if (!given_function) refuse(path + ".function", "{}.function is missing", path);
  Fields function(*given_function, path + ".function");
  const auto name = function.text("name");
  if (!name) refuse(function.path_of("name"), "{} is missing", function.path_of("name"));
  const Json* arguments = function.find("arguments");
  if (arguments && !arguments->is_string() && !arguments->is_object())
    function.wrong("arguments", *arguments, "a text with a JSON object");
  out["function"] = {{"name", *name}, {"arguments", arguments ? *arguments : Json("{}")}};
  function.finish();
  call.finish();
  return out;
}

void read_answer_parts(Fields& message, Json& out) {
  for (const char* name : {"reasoning_content", "reasoning", "thinking"})
    if (const auto thoughts = message.text(name)) out["reasoning_content"] = *thoughts;
  if (const Json* calls = message.find("tool_calls")) {
    if (!calls->is_array()) message.wrong("tool_calls", *calls, "a list of calls");
    Json list = Json::array();
    for (size_t i = 0; i < calls->size(); ++i)
      list.push_back(
          read_call((*calls)[i], fmt::format("{}[{}]", message.path_of("tool_calls"), i)));
    if (!list.empty()) out["tool_calls"] = std::move(list);
  }
  // What clients send back of an answer as they got it, when it says nothing.
  for (const char* name : {"refusal", "audio", "function_call"})
    if (const Json* value = message.find(name))
      message.wrong(name, *value, "left out: it is not supported");
  message.only("annotations", Json::array(), "answers carry none");
}

Json read_message(const Json& given, const std::string& path) {
  Fields message(given, path);
  const auto role = message.text("role");
  if (!role) refuse(path + ".role", "{}.role is missing", path);
  Json out = Json::object();
  out["role"] = *role == "developer" ? "system" : *role;
  const bool answers = *role == "assistant";
  if (!answers && *role != "system" && *role != "developer" && *role != "user" && *role != "tool")
    refuse(path + ".role",
           "{}.role is \"{}\"; known are system, developer, user, assistant and tool", path,
           printable(*role));
  const auto content = read_content(message, "content");
  if (content) out["content"] = *content;
  if (const auto name = message.text("name")) out["name"] = *name;
  if (answers) read_answer_parts(message, out);
  if (*role == "tool")
    if (const auto id = message.text("tool_call_id")) out["tool_call_id"] = *id;
  if (!content && !(answers && out.contains("tool_calls")))
    refuse(path + ".content", "{}.content is missing", path);
  if (!content) out["content"] = "";
  message.finish();
  return out;
}

}  // namespace

Json read_messages(const Json& messages) {
  if (!messages.is_array())
    refuse("messages", "messages should be a list, not {}", kind_of(messages));
  if (messages.empty()) refuse("messages", "messages is empty: there is nothing to answer");
  if (messages.size() > kMostMessages)
    refuse("messages", "messages has {} messages; at most {} are taken", messages.size(),
           kMostMessages);
  Json out = Json::array();
  for (size_t i = 0; i < messages.size(); ++i)
    out.push_back(read_message(messages[i], fmt::format("messages[{}]", i)));
  return out;
}

}  // namespace braid
