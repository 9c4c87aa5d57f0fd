#include "state/realm_names.h"

#include "base/check.h"
#include "base/descriptor.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>

namespace braid {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

// A regular file of this user alone with as many bytes; all else is no secret.
bool read_secret(const std::string& path, std::span<std::byte> secret) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ELOOP) return false;
    fail("{}: cannot be opened: {}", path, reason(errno));
  }
  std::array<std::byte, 33> bytes;  // one more than it may have
  CHECK(secret.size() < bytes.size());
  const ssize_t n = ::read(file.get(), bytes.data(), bytes.size());
  if (n != static_cast<ssize_t>(secret.size())) return false;
  std::memcpy(secret.data(), bytes.data(), secret.size());
  return true;
}

void make_secret(const std::string& path, std::span<std::byte> secret) {
  if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size()))
    fail("{}: cannot be made: {}", path, reason(errno));
  const std::string part = path + ".part";
  {
    const Descriptor file(
        ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0 ||
        ::write(file.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()) ||
        ::fsync(file.get()) != 0)
      fail("{}: cannot be written: {}", part, reason(errno));
  }
  if (::rename(part.c_str(), path.c_str()) != 0)
    fail("{}: cannot be renamed: {}", part, reason(errno));
}

}  // namespace

RealmNames::RealmNames(const std::string& folder) {
  const std::string path = folder + "/.secret";
  if (!read_secret(path, secret_)) make_secret(path, secret_);
}

uint64_t RealmNames::of(const std::string& text) const {
  std::array<unsigned char, 32> code;
  CHECK(gnutls_hmac_get_len(GNUTLS_MAC_SHA256) == code.size());
  if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret_.data(), secret_.size(), text.data(), text.size(),
                       code.data()) != 0)
    fail("HMAC-SHA256 is not to be had from GnuTLS");
  uint64_t name = 0;
  std::memcpy(&name, code.data(), sizeof name);
  return name == 0 ? 1 : name;
}

}  // namespace braid
