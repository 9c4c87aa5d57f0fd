// Names of realms that may stand in files: nobody who reads a file learns the text behind a name.
//
// HMAC-SHA256 with a secret that the folder keeps beside its files, so a file alone does not even
// let anybody try texts. 64 bits of it are used: realms are as few as API keys, and whoever could
// look for two that meet has not got the secret.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace braid {

class RealmNames {
 public:
  // Reads the folder's secret, or makes one; names made with another one are found no more. Throws
  // Error when it can do neither. One process at a time makes one.
  explicit RealmNames(const std::string& folder);

  uint64_t of(const std::string& text) const;  // never 0, which is for those without a name

 private:
  std::array<std::byte, 32> secret_;
};

}  // namespace braid
