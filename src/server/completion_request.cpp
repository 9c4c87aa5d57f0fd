#include "server/completion_request.h"

#include "server/api_error.h"
#include "server/prompt_fields.h"

#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;
using Tokens = std::vector<int32_t>;

// The pieces of a text around a gap, in the order in which these models learned them.
Tokens fill_in(const std::string& prefix, const std::string& suffix, const Api& api) {
  const FimTokens& fim = *api.fim();
  Tokens ids = {fim.prefix};
  const auto add = [&](const std::string& text, int32_t end) {
    const Tokens more = api.model().tokenizer.encode(text);
    ids.insert(ids.end(), more.begin(), more.end());
    ids.push_back(end);
  };
  add(prefix, fim.suffix);
  add(suffix, fim.middle);
  return ids;
}

void need_fim(const Api& api, std::string_view param) {
  if (!api.fim())
    refuse(param,
           "{}: this model cannot fill in: its vocabulary has no <|fim_prefix|>, <|fim_suffix|> "
           "and <|fim_middle|>",
           param);
}

// A model that has filled the gap may go on with another one.
Tokens fim_ends(const Api& api) {
  const FimTokens& fim = *api.fim();
  Tokens ends = {fim.prefix, fim.suffix, fim.middle};
  for (const auto& token : {fim.padding, fim.repo, fim.separator})
    if (token) ends.push_back(*token);
  return ends;
}

// Other files of the project, each under its name.
Tokens other_files(const Json& list, const Api& api) {
  const Tokenizer& tokenizer = api.model().tokenizer;
  const FimTokens& fim = *api.fim();
  if (!list.is_array())
    refuse("input_extra", "input_extra should be a list, not {}", kind_of(list));
  if (!list.empty() && !fim.separator)
    refuse("input_extra", "input_extra: this model's vocabulary has no <|file_sep|>");
  Tokens ids;
  const auto add = [&](const std::string& text) {
    const Tokens more = tokenizer.encode(text);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  size_t bytes = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    Fields file(list[i], fmt::format("input_extra[{}]", i));
    const auto text = file.text("text");
    const auto name = file.text("filename");
    if (!text) refuse(file.path_of("text"), "{} is missing", file.path_of("text"));
    file.pass_over("time");  // when an editor took it
    file.finish();
    bytes += text->size() + (name ? name->size() : 0);
    check_bytes(bytes, api.model(), "input_extra");
    ids.push_back(*fim.separator);
    add(name.value_or("file") + "\n");
    add(*text);
  }
  // What follows is a file like them.
  if (!list.empty()) ids.push_back(*fim.separator), add("file\n");
  return ids;
}

}  // namespace

void read_completion(Fields& fields, const Api& api, AnswerPlan& plan) {
  plan.prompts = read_prompts(fields, "prompt", api);
  const bool echo = fields.boolean("echo").value_or(false);
  if (echo && plan.options.logprobs >= 0)
    refuse("echo", "echo with logprobs is not supported: the prompt's are not kept");
  const auto suffix = fields.text("suffix");
  if (suffix && !suffix->empty()) {
    need_fim(api, "suffix");
    check_bytes(suffix->size(), api.model(), "suffix");
    if (echo) refuse("echo", "echo with suffix is not supported");
    for (PromptPlan& one : plan.prompts) one.ids = fill_in(one.echo, *suffix, api);
    plan.more_ends = fim_ends(api);
  }
  if (!echo)
    for (PromptPlan& one : plan.prompts) one.echo.clear();
}

void read_infill(Fields& fields, const Api& api, AnswerPlan& plan) {
  need_fim(api, "input_prefix");
  const auto prefix = fields.text("input_prefix"), suffix = fields.text("input_suffix"),
             begun = fields.text("prompt");
  if (!prefix) refuse("input_prefix", "input_prefix is missing");
  if (!suffix) refuse("input_suffix", "input_suffix is missing");
  check_bytes(prefix->size() + suffix->size() + begun.value_or("").size(), api.model(),
              "input_prefix");
  PromptPlan prompt;
  if (const Json* extra = fields.find("input_extra")) prompt.ids = other_files(*extra, api);
  if (!prompt.ids.empty()) prompt.messages.push_back(static_cast<int64_t>(prompt.ids.size()));
  const Tokens rest = fill_in(*prefix + begun.value_or(""), *suffix, api);
  prompt.ids.insert(prompt.ids.end(), rest.begin(), rest.end());
  plan.prompts.push_back(std::move(prompt));
  plan.more_ends = fim_ends(api);
}

}  // namespace braid
