#include "format/json_config.h"
#include "format/metadata.h"
#include "format/printable.h"
#include "tools/inspect_report.h"
#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace braid {
namespace {

using nlohmann::ordered_json;

constexpr size_t kValueWidth = 90;

class Writer {
 public:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    while (text_.ends_with(' ')) text_.pop_back();
    text_ += '\n';
  }
  void heading(const std::string& text) { line("{}{}", text_.empty() ? "" : "\n", text); }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// Cells of equal width per column; a column of numbers is aligned to the right.
class Table {
 public:
  explicit Table(std::string right) : right_(std::move(right)) {}  // 'r' or 'l' per column
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void write(Writer& out) const {
    std::vector<size_t> widths(right_.size(), 0);
    for (const auto& row : rows_)
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    for (const auto& row : rows_) {
      std::string text;
      for (size_t i = 0; i < row.size(); ++i)
        text += right_[i] == 'r' ? fmt::format("  {:>{}}", row[i], widths[i])
                                 : fmt::format("  {:<{}}", row[i], widths[i]);
      out.line("{}", text);
    }
  }

 private:
  std::string right_;
  std::vector<std::vector<std::string>> rows_;
};

// Long arrays shortened: their beginning and their length.
std::string json_text(const ordered_json& value) {
  const std::string text = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (text.size() <= kValueWidth) return printable(text, kValueWidth);
  const std::string begin = printable(text.substr(0, kValueWidth - 20), kValueWidth);
  return value.is_array() ? fmt::format("{}... {} in all]", begin, value.size()) : begin + "...";
}

void add_json(Table& table, const std::string& path, const ordered_json& value) {
  if (!value.is_object()) return table.row({printable(path), json_text(value)});
  for (const auto& [key, inner] : value.items())
    add_json(table, path.empty() ? key : path + "." + key, inner);
}

void write_metadata(Writer& out, const TensorFile& file) {
  if (const Metadata* metadata = file.metadata()) {
    out.heading(fmt::format("Metadata ({} keys)", metadata->entries().size()));
    Table table("lll");
    for (const MetaEntry& entry : metadata->entries())
      table.row({printable(entry.key), entry.type_text(), entry.text(kValueWidth)});
    return table.write(out);
  }
  if (const JsonConfig* config = file.config()) {
    out.heading("config.json");
    Table table("ll");
    add_json(table, "", config->json());
    table.write(out);
  }
}

void write_tensors(Writer& out, const TensorFile& file) {
  out.heading(fmt::format("Tensors ({}; shapes with the rows first)", file.tensors().size()));
  Table table("lllr");
  for (const FileTensor& tensor : file.tensors())
    table.row({printable(tensor.name), shape_text(tensor.shape),
               std::string(info(tensor.dtype).name), bytes_text(tensor.bytes.size())});
  table.write(out);
}

std::string bits(size_t bytes, int64_t weights) {
  return weights == 0 ? ""
                      : fmt::format("{:.2f}", 8.0 * static_cast<double>(bytes) /
                                                  static_cast<double>(weights));
}

void write_types(Writer& out, const ModelReport& report) {
  out.heading("Types");
  Table table("lrrrrl");
  table.row({"type", "tensors", "weights", "size", "bits", "runs as"});
  for (const TypeTotal& t : report.types)
    table.row({std::string(info(t.type).name), count_text(t.tensors), count_text(t.weights),
               bytes_text(t.bytes), bits(t.bytes, t.weights), t.runs_as});
  table.row({"all", count_text(static_cast<int64_t>(report.file->tensors().size())),
             count_text(report.weights), bytes_text(report.bytes),
             bits(report.bytes, report.weights), ""});
  table.write(out);
}

void write_memory(Writer& out, const MemoryReport& m) {
  const EngineOptions& o = m.options;
  out.heading(fmt::format(
      "Memory on {} for {} of {} tokens (-np, -c), keys {}, values {}, steps of {} rows (-ub)",
      m.device, o.sequences == 1 ? "1 sequence" : fmt::format("{} sequences", o.sequences),
      count_text(o.context), cache_type_name(o.key_type), cache_type_name(o.value_type), o.ubatch));
  Table table("lrrl");
  const auto row = [&](const char* name, size_t bytes, const std::string& note) {
    table.row({name, bytes_text(bytes), count_text(static_cast<int64_t>(bytes)), note});
  };
  row("weights", m.plan.weights, "packed; embeddings stay in the mapped file");
  row("state", m.plan.state,
      fmt::format("{} a sequence and {} a token, in pages of {} tokens",
                  bytes_text(m.state_per_sequence), bytes_text(m.kv_per_token), m.page_tokens));
  row("activations", m.plan.scratch, "");
  row("workspaces", m.plan.workspace, "");
  row("buffers", m.plan.buffers, "batch and logits");
  row("total", m.plan.total(), "");
  table.write(out);
}

void write_summary(Writer& out, const ModelReport& report) {
  write_types(out, report);
  out.heading("Model");
  Table table("ll");
  table.row({"file", printable(report.file->path(), 1000)});
  table.row({"format",
             fmt::format("{}, {}", report.container,
                         report.files.size() == 1 ? "1 file"
                                                  : fmt::format("{} files", report.files.size()))});
  table.row(
      {"architecture", report.architecture.empty() ? "not named" : printable(report.architecture)});
  if (report.config.is_object()) add_json(table, "", report.config);
  table.write(out);
  if (report.memory) write_memory(out, *report.memory);
  if (!report.problem.empty()) out.heading("Braid cannot run it: " + report.problem);
}

}  // namespace

std::string report_text(const ModelReport& report, const InspectSections& sections) {
  Writer out;
  if (sections.metadata) write_metadata(out, *report.file);
  if (sections.tensors) write_tensors(out, *report.file);
  if (sections.summary) write_summary(out, report);
  return out.take();
}

}  // namespace braid
