// Feeds bytes to the safetensors reader and uses whatever it accepts. What does not begin as such a
// file does is taken for a recipe of one.
//
// Few mutations leave a header whose length is the one that the file announces. So every file is
// read twice: as it is, and with the length set to the end of the last object in it.
#include "recipe.h"
#include "use_model.h"

#include "base/check.h"
#include "format/printable.h"
#include "format/safetensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace {

auto parse(std::span<const uint8_t> file) {
  return braid::SafetensorsFolder::parse("f", std::as_bytes(file));
}

void read(std::span<const uint8_t> file) {
  try {
    const auto model = parse(file);
    braid::fuzz::use_model(*model);
    const size_t used = braid::fuzz::bytes_in_use(*model, file.data());
    const std::vector<uint8_t> copy(file.begin(), file.begin() + static_cast<ptrdiff_t>(used));
    if (used != 0) braid::fuzz::use_model(*parse(copy));
  } catch (const braid::Error& error) {
    CHECK(braid::is_plain_name(error.what()));
  }
}

void read_mended(std::span<const uint8_t> file) {
  uint64_t length = 0;
  const auto text = file.subspan(sizeof(length));
  const auto last = std::find(text.rbegin(), text.rend(), uint8_t{'}'});
  length = static_cast<uint64_t>(text.rend() - last);
  std::vector<uint8_t> mended(file.begin(), file.end());
  std::memcpy(mended.data(), &length, sizeof(length));
  read(mended);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 8 && data[8] == '{') {
    read({data, size});
    read_mended({data, size});
  } else {
    const std::string file = braid::fuzz::build_safetensors(braid::fuzz::Recipe({data, size}));
    read({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  }
  return 0;
}
