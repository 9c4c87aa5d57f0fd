// Takes bytes for a tokenizer.json, makes a tokenizer of what is one, and encodes with it. Few
// changes of a file leave all 256 bytes in its vocabulary, so those that are missing are put in.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "format/json.h"
#include "format/printable.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace {

void add_bytes(nlohmann::json& file) {
  if (!file.is_object() || !file.contains("model")) return;
  auto& model = file["model"];
  if (!model.is_object() || !model.contains("vocab") || !model["vocab"].is_object()) return;
  int id = 1000;
  for (const std::string& letter : braid::byte_letters()) {
    if (!model["vocab"].contains(letter)) model["vocab"][letter] = id++;
  }
}

void use(const braid::Tokenizer& tokenizer, bool nfc) {
  constexpr std::string_view kText =
      "the he\n <|im_end|> <think>  e\xCC\x81 \xE4\xB8\xAD\xFF 'S 12 <s>";
  for (const bool special : {false, true}) {
    const auto ids = tokenizer.encode(kText, {.add_special = special, .parse_special = special});
    const std::string back = tokenizer.decode(ids);
    if (!special && !nfc) CHECK(!back.empty());
#ifdef BRAID_FUZZ_PLANT
    const std::vector<int32_t> copy(ids.begin(), ids.end());
    if (tokenizer.adds_bos()) CHECK(copy.data()[copy.size()] != 1 << 30);
#endif
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    nlohmann::json file = braid::parse_json("f", {reinterpret_cast<const char*>(data), size});
    add_bytes(file);
    const braid::Vocabulary vocabulary = braid::parse_tokenizer_json("f", file);
    use(braid::Tokenizer(vocabulary), vocabulary.normalize_nfc);
  } catch (const braid::Error& error) {
    CHECK(braid::is_plain_name(error.what()));
  }
  return 0;
}
