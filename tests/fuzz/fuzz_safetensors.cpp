// Feeds bytes to the safetensors reader and uses whatever it accepts.
//
// Few mutations leave a header whose length is the one that the file announces. So every input is
// read twice: as it is, and with the length set to the end of the last object in it.
#include "use_model.h"

#include "base/check.h"
#include "format/printable.h"
#include "format/safetensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace {

void read(std::span<const uint8_t> file) {
  try {
    const auto model = braid::SafetensorsFolder::parse("f", std::as_bytes(file));
    braid::fuzz::use_model(*model);
  } catch (const braid::Error& error) {
    CHECK(braid::is_plain_name(error.what()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> file(data, size);
  read(file);
  uint64_t length = 0;
  if (size <= sizeof(length)) return 0;
  const auto text = file.subspan(sizeof(length));
  const auto last = std::find(text.rbegin(), text.rend(), uint8_t{'}'});
  length = static_cast<uint64_t>(text.rend() - last);
  std::vector<uint8_t> mended(file.begin(), file.end());
  std::memcpy(mended.data(), &length, sizeof(length));
  read(mended);
  return 0;
}
