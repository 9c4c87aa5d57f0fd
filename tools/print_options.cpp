#include "tools/print_options.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

std::string value_text(const CLI::Option& option) {
  std::string text;
  const bool list = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  const auto& values = option.results();
  for (size_t i = list || values.empty() ? 0 : values.size() - 1; i < values.size(); ++i)
    text += fmt::format("{}{}", text.empty() ? "" : " ", values[i].empty() ? "\"\"" : values[i]);
  return text;
}

std::string source_text(const CLI::Option& option, std::span<const Setting> settings) {
  if (option.count() == 0) return "default";
  for (const Setting& setting : settings)
    if (setting.option == &option) return setting.source;
  return "command line";
}

}  // namespace

std::string options_text(const CLI::App& command, std::span<const Setting> settings) {
  struct Row {
    std::string name, value, source;
  };
  std::vector<Row> rows;
  size_t name_width = 0, value_width = 0;
  for (const CLI::Option* option : command.get_options()) {
    if (!can_be_set(*option) && !option->get_positional()) continue;
    rows.push_back({option->get_lnames().empty() ? option->get_single_name()
                                                 : "--" + option->get_lnames().front(),
                    value_text(*option), source_text(*option, settings)});
    name_width = std::max(name_width, rows.back().name.size());
    value_width = std::min<size_t>(40, std::max(value_width, rows.back().value.size()));
  }
  std::string text;
  for (const Row& row : rows)
    text += fmt::format("{:<{}}  {:<{}}  {}\n", row.name, name_width, row.value, value_width,
                        row.source);
  return text;
}

}  // namespace braid
