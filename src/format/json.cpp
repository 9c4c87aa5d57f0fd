#include "format/json.h"

#include "base/check.h"
#include "base/mmap_file.h"
#include "format/printable.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_set>
#include <vector>

namespace braid {
namespace {

using Json = nlohmann::json;

// Watches the parser: nlohmann itself sets no bound to the depth and keeps the last of two equal
// keys.
class Watch {
 public:
  explicit Watch(const std::string& path) : path_(path) {}

  void see(Json::parse_event_t event, const Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        keys_.emplace_back();
        if (keys_.size() > kMaxJsonDepth) {
          fail("{}: JSON nested more than {} levels deep: the file is damaged, download it again",
               path_, kMaxJsonDepth);
        }
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        keys_.pop_back();
        break;
      case Json::parse_event_t::key: {
        const auto& key = value.get_ref<const std::string&>();
        if (!keys_.back().insert(key).second) {
          fail("{}: JSON key \"{}\" is there twice: the file is damaged, download it again", path_,
               printable(key));
        }
        break;
      }
      case Json::parse_event_t::value:
        break;
    }
  }

 private:
  const std::string& path_;
  std::vector<std::unordered_set<std::string>> keys_;  // of each open object or array
};

std::string position(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", line, before.size() - line_start + 1);
}

}  // namespace

Json parse_json(const std::string& path, std::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    fail("{}: {} bytes of JSON, at most {} are read: the file is not what its name says", path,
         text.size(), kMaxJsonBytes);
  }
  Watch watch(path);
  const auto see = [&](int, Json::parse_event_t event, Json& value) {
    watch.see(event, value);
    return true;
  };
  // The texts of nlohmann's exceptions quote the file without bound and change between versions.
  try {
    return Json::parse(text.begin(), text.end(), see);
  } catch (const Json::parse_error& error) {
    const size_t byte = error.byte == 0 ? 0 : error.byte - 1;
    fail("{}: not valid JSON at {}: the file is cut short or damaged, download it again", path,
         position(text, byte));
  } catch (const Json::exception&) {
    fail("{}: JSON with a number that is out of range: the file is damaged, download it again",
         path);
  }
}

Json read_json(const std::string& path) {
  const MmapFile file(path);
  const auto bytes = file.bytes();
  return parse_json(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string json_text(const Json& value, size_t max) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), max);
}

}  // namespace braid
