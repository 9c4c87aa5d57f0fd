// Takes bytes for a chat template and renders what is one, over a context with one value of each
// kind. What is not UTF-8 is put right first: the reader refuses it at once.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/check.h"
#include "format/printable.h"
#include "text/chat_template.h"

namespace {

const nlohmann::ordered_json& context() {
  static const auto value = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": " Be terse. "}, {"role": "user", "content": "Zürich? 😀"},
                 {"role": "assistant", "content": "<think>\nhm\n</think>\n\nyes", "tool_calls":
                  [{"function": {"name": "f", "arguments": {"a": 1, "b": [true, null, 2.5]}}}]},
                 {"role": "tool", "content": [{"type": "text", "text": "ok"}]}],
    "tools": [{"name": "f", "parameters": {"properties": {"a": {"type": ["integer", "null"]}}}}],
    "add_generation_prompt": true, "bos_token": "<s>", "n": 7, "f": 2.5, "t": true, "nothing": null,
    "s": "Hello, World", "l": [3, 1, 2], "ls": ["b", "a", "C"], "d": {"b": 1, "a": 2}, "big": 18446744073709551615,
    "mixed": [1, "a", null, 2.0, true, [1], {"k": "v"}], "u": "Zürich ß ΣΑΣ", "empty": [], "e": "",
    "users": [{"name": "Ann", "age": 30, "city": "Rom"}, {"name": "bob", "age": 25, "city": "rom"}],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}]}]})");
  return value;
}

std::string as_utf8(const uint8_t* data, size_t size) {
  std::string text(data, data + size);
  if (!braid::is_utf8(text)) {
    for (char& c : text) c = static_cast<char>(c & 0x7F);
  }
  return text;
}

void use(const std::string& output) {
  CHECK(braid::is_utf8(output));
#ifdef BRAID_FUZZ_PLANT
  const std::vector<char> copy(output.begin(), output.end());
  if (output.find("False") != std::string::npos) CHECK(copy.data()[copy.size()] != '\x01');
#endif
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  braid::ChatTemplateOptions options;
  options.limits.steps = 100'000;
  options.limits.output_bytes = 1 << 20;
  options.limits.live_bytes = 8 << 20;
  options.now = [] { return std::tm{}; };
  try {
    const braid::ChatTemplate chat(as_utf8(data, size), options);
    const std::string output = chat.render(context());
    use(output);
    CHECK(chat.render(context()) == output);
  } catch (const braid::Error& error) {
    CHECK(braid::is_plain_name(error.what()));
  }
  return 0;
}
