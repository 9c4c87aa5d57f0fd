#include "tools/chat_options.h"

#include "base/check.h"
#include "tools/files.h"

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

Json parse(const std::string& text, const std::string& what) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    fail("{}: is not JSON: {}", what, error.what());
  }
}

}  // namespace

void add_chat_options(CLI::App& command, ChatFlags& flags) {
  command.add_option("--system-prompt", flags.system, "-sys: the system message")
      ->type_name("TEXT");
  command.add_option("--system-prompt-file", flags.system_file, "The same from a file")
      ->type_name("FILE");
  command.add_flag_callback(
      "--think", [&flags] { flags.think = true; }, "Let the model think before it answers");
  command.add_flag_callback(
      "--no-think", [&flags] { flags.think = false; },
      "Let it answer at once (templates with enable_thinking)");
  command.add_flag_callback(
      "--show-thinking", [&flags] { flags.show_thinking = true; },
      "Show what it thinks (the default on a terminal)");
  command.add_flag_callback(
      "--hide-thinking", [&flags] { flags.show_thinking = false; },
      "Do not (the default in a pipe)");
  command
      .add_option("--chat-template-kwargs", flags.template_arguments,
                  "More names for the template, as a JSON object")
      ->type_name("JSON");
  command
      .add_option("--tools", flags.tools_file,
                  "Tools to offer: a JSON array of functions, as APIs have it")
      ->type_name("FILE");
}

std::string system_message(const ChatFlags& flags) {
  return flags.system_file.empty() ? flags.system : read_file(flags.system_file);
}

Json template_names(const ChatFlags& flags) {
  Json names = Json::object();
  if (!flags.template_arguments.empty()) {
    names = parse(flags.template_arguments, "--chat-template-kwargs");
    if (!names.is_object())
      fail("--chat-template-kwargs: must be a JSON object, such as {{\"enable_thinking\": false}}");
  }
  if (flags.think) names["enable_thinking"] = *flags.think;
  return names;
}

Json offered_tools(const ChatFlags& flags) {
  if (flags.tools_file.empty()) return nullptr;
  Json tools = parse(read_file(flags.tools_file), flags.tools_file);
  if (!tools.is_array()) fail("{}: must be a JSON array of tools", flags.tools_file);
  return tools;
}

}  // namespace braid
