// config.json of a Hugging Face folder, with the same accessors as the metadata of a GGUF.
//
// Keys are paths with dots: "text_config.rope_parameters.rope_theta". A null counts as missing, as
// it does in transformers. A value that is missing or of another kind is an Error that names file
// and key.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class JsonConfig {
 public:
  // Reads the file; throws Error when it is not a JSON object.
  explicit JsonConfig(std::string path);
  JsonConfig(std::string path, nlohmann::json json);  // path stands in errors
  ~JsonConfig();
  JsonConfig(const JsonConfig&) = delete;
  JsonConfig& operator=(const JsonConfig&) = delete;

  const std::string& path() const { return path_; }
  const nlohmann::json& json() const { return *json_; }
  bool has(std::string_view key) const { return find(key) != nullptr; }

  int64_t integer(std::string_view key, int64_t min = std::numeric_limits<int64_t>::min(),
                  int64_t max = std::numeric_limits<int64_t>::max()) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string string(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<std::string> strings(std::string_view key) const;

  int64_t integer_or(std::string_view key, int64_t otherwise,
                     int64_t min = std::numeric_limits<int64_t>::min(),
                     int64_t max = std::numeric_limits<int64_t>::max()) const;
  double number_or(std::string_view key, double otherwise) const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string string_or(std::string_view key, std::string_view otherwise) const;

 private:
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json& get(std::string_view key) const;
  const nlohmann::json& array(std::string_view key) const;
  [[noreturn]] void wrong_kind(std::string_view key, std::string_view expected) const;
  int64_t to_integer(std::string_view key, const nlohmann::json& value) const;

  std::string path_;
  std::unique_ptr<nlohmann::json> json_;
};

}  // namespace braid
