#include "server/chat_request.h"

#include "base/check.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/volatile_headers.h"
#include "text/thinking_splitter.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace braid {
namespace {

using Json = Fields::Json;

constexpr size_t kMostTools = 1024;

// What the template does not know has no effect.
bool template_knows(const Api& api, std::string_view name) {
  return api.model().chat_template->knows(name);
}

// What a request says in fields of their own, or the model's vocabulary.
bool is_reserved(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {
      "messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"};
  return std::ranges::find(kNames, name) != kNames.end();
}

void set_thinking(bool thinks, std::string_view param, const Api& api, ChatRequest& into) {
  if (!template_knows(api, "enable_thinking"))
    refuse(param, "{}: this model's chat template cannot switch thinking on or off", param);
  (*into.extra)["enable_thinking"] = thinks;
}

// Templates that know the word get it. For others an effort is how long the model may think.
void read_effort(Fields& fields, const Api& api, ChatRequest& into) {
  const auto effort = fields.text("reasoning_effort");
  if (!effort) return;
  if (template_knows(api, "reasoning_effort")) {
    (*into.extra)["reasoning_effort"] = *effort;
    return;
  }
  struct Level {
    std::string_view name;
    int64_t tokens;
  };
  constexpr std::array kLevels = {Level{"minimal", 512}, Level{"low", 2048}, Level{"medium", 8192},
                                  Level{"high", -1}, Level{"xhigh", -1}};
  if (*effort == "none") return set_thinking(false, "reasoning_effort", api, into);
  const auto level = std::ranges::find(kLevels, *effort, &Level::name);
  if (level == kLevels.end())
    refuse("reasoning_effort",
           "reasoning_effort is \"{}\"; known are none, minimal, low, medium, high and xhigh",
           *effort);
  if (api.model().chat_template->source().find("<think>") == std::string::npos)
    refuse("reasoning_effort", "reasoning_effort: this model does not think");
  into.thinking_budget = level->tokens;
}

void read_template_names(Fields& fields, const Api& api, ChatRequest& into) {
  if (const Json* given = fields.find("chat_template_kwargs")) {
    Fields names(*given, "chat_template_kwargs");
    for (const auto& [name, value] : given->items()) {
      const std::string path = names.path_of(name);
      if (is_reserved(name))
        refuse(path, "{}: this is not for a request to set among the template's names", path);
      if (!template_knows(api, name))
        refuse(path, "{}: this model's chat template does not know the name", path);
      (*into.extra)[name] = value;
    }
  }
  read_effort(fields, api, into);
  if (const auto thinks = fields.boolean("enable_thinking"))
    set_thinking(*thinks, "enable_thinking", api, into);
}

// No thoughts at all is what a template can say in the model's own way.
void read_budget(Fields& fields, const Api& api, ChatRequest& into) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto budget = fields.one_integer(
      {"thinking_budget_tokens", "thinking_budget", "reasoning_budget"}, -1, kMost);
  if (!budget) return;
  into.thinking_budget = *budget;
  if (*budget == 0 && template_knows(api, "enable_thinking"))
    into.extra->emplace("enable_thinking", false);
}

Json read_tool(const Json& given, const std::string& path) {
  Fields tool(given, path);
  const auto type = tool.text("type");
  if (!type || *type != "function")
    refuse(path + ".type", "{}.type should be \"function\": no other tools are known", path);
  const Json* function = tool.find("function");
  if (!function) refuse(path + ".function", "{}.function is missing", path);
  Fields parts(*function, path + ".function");
  if (!parts.text("name")) refuse(parts.path_of("name"), "{} is missing", parts.path_of("name"));
  parts.text("description");
  if (const Json* schema = parts.find("parameters"); schema && !schema->is_object())
    parts.wrong("parameters", *schema, "a JSON schema");
  parts.only("strict", false, "calls are not held to their schema yet");
  parts.finish();
  tool.finish();
  return given;
}

void read_tools(Fields& fields, ChatRequest& into) {
  const Json* given = fields.find("tools");
  if (given && (!given->is_array() || given->size() > kMostTools))
    fields.wrong("tools", *given, fmt::format("a list of at most {} tools", kMostTools));
  Json tools = Json::array();
  for (size_t i = 0; given && i < given->size(); ++i)
    tools.push_back(read_tool((*given)[i], fmt::format("tools[{}]", i)));
  const Json* choice = fields.find("tool_choice");
  const bool none = choice && *choice == "none";
  if (choice && !none && *choice != "auto")
    refuse("tool_choice", "tool_choice: only \"auto\" and \"none\" are supported");
  const bool wanted = !tools.empty() && !none;
  if (!fields.boolean("parallel_tool_calls").value_or(true) && wanted)
    refuse("parallel_tool_calls",
           "parallel_tool_calls: false is not supported with tools: calls come back as text, and "
           "how many a model makes is its own choice");
  if (wanted) into.tools = std::make_shared<Json>(std::move(tools));
}

void read_shape_of_answer(Fields& fields) {
  fields.only("modalities", Json::array({"text"}), "answers are texts");
  const Json* format = fields.find("response_format");
  if (!format) return;
  Fields parts(*format, "response_format");
  const auto type = parts.text("type");
  if (!type || *type != "text")
    refuse("response_format",
           "response_format: only {{\"type\": \"text\"}} is supported; constrained answers are not "
           "there yet");
  parts.finish();
}

// Tokens before the first date of the first message; 0: there is none.
int64_t before_date(std::string_view text, const std::vector<int32_t>& ids,
                    const ServedModel& model) {
  const size_t date = find_date(text);
  if (date == std::string_view::npos) return 0;
  size_t bytes = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    bytes += model.tokenizer.bytes(ids[i]).size();
    if (bytes > date) return static_cast<int64_t>(i);
    if (std::ranges::find(model.end_tokens, ids[i]) != model.end_tokens.end()) return 0;
  }
  return 0;
}

}  // namespace

ChatRequest read_chat(Fields& fields, const Api& api) {
  if (!api.model().chat_template)
    refuse("messages",
           "this model has no chat template: use /v1/completions, or start the server with "
           "--chat-template-file");
  ChatRequest chat;
  const Json* messages = fields.find("messages");
  if (!messages) refuse("messages", "messages is missing: send a list of messages");
  chat.messages = std::make_shared<Json>(read_messages(*messages));
  const bool keep = fields.boolean("keep_volatile").value_or(api.options().keep_volatile);
  if (!keep) chat.steadied = steady_header(*chat.messages);
  chat.extra = std::make_shared<Json>(Json::object());
  read_tools(fields, chat);
  read_template_names(fields, api, chat);
  read_budget(fields, api, chat);
  read_shape_of_answer(fields);
  return chat;
}

RenderedChat render_chat(const ChatRequest& chat, const Api& api) {
  const ServedModel& model = api.model();
  ChatInput input;
  input.messages = chat.messages.get();
  input.tools = chat.tools.get();
  input.extra = chat.extra.get();
  input.call_arguments = api.call_arguments();
  input.bos_token = model.text.bos_token;
  input.eos_token = model.text.eos_token;
  ChatPrompt prompt;
  try {
    prompt = api.encoder().encode(*model.chat_template, input, static_cast<size_t>(model.context));
  } catch (const PromptTooLong& error) {
    check_bytes(error.bytes, model, "messages");
    throw;  // never: it has refused
  } catch (const Error& error) {
    refuse("messages", "the model's chat template refuses the conversation: {}", error.what());
  }
  RenderedChat rendered{std::move(prompt.text), {}};
  rendered.plan.opens_thinking = prompt_opens_thinking(rendered.text);
  // Behind each end of a message, and before the header of the answer.
  const std::vector<int32_t>& ids = prompt.ids;
  int64_t last_control = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!model.tokenizer.is_control(ids[i])) continue;
    const auto at = static_cast<int64_t>(i);
    last_control = at;
    if (std::ranges::find(model.end_tokens, ids[i]) != model.end_tokens.end())
      rendered.plan.messages.push_back(at + 1);
  }
  if (const int64_t date = before_date(rendered.text, ids, model); date > 0)
    rendered.plan.messages.push_back(date);
  rendered.plan.steadied = chat.steadied;
  if (last_control > 0) rendered.plan.messages.push_back(last_control);
  rendered.plan.ids = std::move(prompt.ids);
  return rendered;
}

}  // namespace braid
