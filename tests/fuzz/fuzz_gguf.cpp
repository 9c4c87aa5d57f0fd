// Feeds bytes to the GGUF reader and uses whatever it accepts. What does not begin as a GGUF file
// does is taken for a recipe of one.
#include "recipe.h"
#include "use_model.h"

#include "base/check.h"
#include "format/gguf.h"
#include "format/printable.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace braid {
namespace {

// An accessor may refuse a value, with a message fit to be printed.
void attempt(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(is_plain_name(error.what()));
  }
}

void use_metadata(const Metadata& metadata) {
  for (const MetaEntry& entry : metadata.entries()) {
    CHECK(metadata.find(entry.key) == &entry);
    CHECK(is_utf8(entry.text()));
    attempt([&] { metadata.integer(entry.key, -1000, 1000); });
    attempt([&] { metadata.number(entry.key); });
    attempt([&] { metadata.boolean(entry.key); });
    attempt([&] { metadata.string(entry.key); });
    attempt([&] { metadata.integers(entry.key); });
    attempt([&] { metadata.numbers(entry.key); });
    attempt([&] { metadata.strings(entry.key); });
    attempt([&] { metadata.integers_per_layer(entry.key, 4); });
  }
}

std::unique_ptr<GgufFile> use(std::span<const std::byte> file) {
  auto model = GgufFile::parse("f", file);
  use_metadata(*model->metadata());
  fuzz::use_model(*model);
  return model;
}

void run(std::span<const std::byte> file) {
  attempt([&] {
    const size_t used = fuzz::bytes_in_use(*use(file), file.data());
    const std::vector<std::byte> copy(file.begin(), file.begin() + static_cast<ptrdiff_t>(used));
    if (used != 0) use(copy);
  });
}

}  // namespace
}  // namespace braid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || data[0] == 'G') {
    braid::run(std::as_bytes(std::span(data, size)));
  } else {
    const std::string file = braid::fuzz::build_gguf(braid::fuzz::Recipe({data, size}));
    braid::run(std::as_bytes(std::span(file)));
  }
  return 0;
}
