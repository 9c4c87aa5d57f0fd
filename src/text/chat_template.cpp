#include "text/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::localtime_r(&now, &time);
  return time;
}

// {"thinking": reasoning, **message, "reasoning_content": reasoning}
Json with_reasoning(const Json& message) {
  const auto get = [&](const char* name) {
    const auto found = message.find(name);
    return found != message.end() && !found->is_null() ? &*found : nullptr;
  };
  const Json* reasoning = get("reasoning_content");
  if (reasoning == nullptr) reasoning = get("thinking");
  if (reasoning == nullptr) reasoning = get("reasoning");
  if (reasoning == nullptr) return message;
  Json out = Json::object();
  out["thinking"] = *reasoning;
  for (const auto& [key, value] : message.items()) out[key] = value;
  out["reasoning_content"] = *reasoning;
  return out;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string source, ChatTemplateOptions options)
    : source_(std::move(source)), options_(std::move(options)) {
  if (!options_.now) options_.now = local_time;
  program_ = std::make_unique<const jinja::Program>(
      jinja::parse(options_.title, source_, options_.limits));
}

ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

bool ChatTemplate::knows(std::string_view name) const {
  return std::ranges::find(program_->names, name) != program_->names.end();
}

std::string ChatTemplate::render(const Json& context) const {
  return jinja::Interpreter(*program_, options_.limits, options_.now).render(context);
}

Json make_chat_context(const ChatInput& input) {
  Json context = Json::object();
  if (!input.bos_token.empty()) context["bos_token"] = input.bos_token;
  if (!input.eos_token.empty()) context["eos_token"] = input.eos_token;
  if (input.extra != nullptr) {
    for (const auto& [key, value] : input.extra->items()) context[key] = value;
  }
  Json messages = Json::array();
  if (input.messages != nullptr) {
    for (const Json& message : *input.messages) {
      if (!message.is_object()) {
        fail("a chat message should be an object, not {}", message.type_name());
      }
      messages.push_back(with_call_arguments(with_reasoning(message), input.call_arguments));
    }
  }
  context["messages"] = std::move(messages);
  context["tools"] = input.tools != nullptr ? *input.tools : Json();
  context["documents"] = input.documents != nullptr ? *input.documents : Json();
  context["add_generation_prompt"] = input.add_generation_prompt;
  return context;
}

}  // namespace braid
