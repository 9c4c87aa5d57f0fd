// Feeds bytes to the GGUF reader and uses whatever it accepts.
#include "use_model.h"

#include "base/check.h"
#include "format/gguf.h"
#include "format/printable.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

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

}  // namespace
}  // namespace braid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  braid::attempt([&] {
    const auto model = braid::GgufFile::parse("f", std::as_bytes(std::span(data, size)));
    braid::use_metadata(*model->metadata());
    braid::fuzz::use_model(*model);
  });
  return 0;
}
