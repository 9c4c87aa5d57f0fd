#include "server/tls_certificates.h"

#include "base/check.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace braid {
namespace {

constexpr size_t kMostInChain = 16;

thread_local const TlsCertificates* served = nullptr;

void check_gnutls(int result, std::string_view what) {
  if (result < 0)
    fail("TLS: {}: {}: it must be PEM, and not encrypted", what, gnutls_strerror(result));
}

gnutls_datum_t datum_of(const std::string& text) {
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
          static_cast<unsigned>(text.size())};
}

using KeyId = std::array<unsigned char, 64>;

KeyId id_of(gnutls_pubkey_t key) {
  KeyId id{};
  size_t size = id.size();
  check_gnutls(gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id.data(), &size),
               "the public key");
  return id;
}

}  // namespace

struct TlsCertificates::Pair {
  Pair(const std::string& certificate, const std::string& key) {
    try {
      const gnutls_datum_t pem = datum_of(certificate), key_pem = datum_of(key);
      n = kMostInChain;
      const int read =
          gnutls_pcert_list_import_x509_raw(chain.data(), &n, &pem, GNUTLS_X509_FMT_PEM, 0);
      if (read < 0) n = 0;
      check_gnutls(read, "the certificate");
      check_gnutls(gnutls_privkey_init(&private_key), "the key");
      check_gnutls(
          gnutls_privkey_import_x509_raw(private_key, &key_pem, GNUTLS_X509_FMT_PEM, nullptr, 0),
          "the key");
      check_match();
    } catch (...) {
      free();
      throw;
    }
  }
  ~Pair() { free(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void free() {
    for (gnutls_pcert_st& one : std::span(chain).first(n)) gnutls_pcert_deinit(&one);
    if (private_key != nullptr) gnutls_privkey_deinit(private_key);
  }

  void check_match() const {
    gnutls_pubkey_t own = nullptr;
    check_gnutls(gnutls_pubkey_init(&own), "the key");
    const std::unique_ptr<gnutls_pubkey_st, decltype(&gnutls_pubkey_deinit)> owner(
        own, gnutls_pubkey_deinit);
    check_gnutls(gnutls_pubkey_import_privkey(own, private_key, 0, 0), "the key");
    if (id_of(own) != id_of(chain[0].pubkey))
      fail(
          "TLS: the certificate and its key do not belong to each other: the first certificate of "
          "the file must be the key's");
  }

  std::array<gnutls_pcert_st, kMostInChain> chain{};
  unsigned n = 0;
  gnutls_privkey_t private_key = nullptr;
};

TlsCertificates::TlsCertificates(const std::string& certificate, const std::string& key) {
  replace(certificate, key);
}

TlsCertificates::~TlsCertificates() = default;

void TlsCertificates::replace(const std::string& certificate, const std::string& key) {
  auto pair = std::make_unique<Pair>(certificate, key);
  const std::lock_guard lock(mutex_);
  pairs_.push_back(std::move(pair));
}

void TlsCertificates::serve_this_thread() const { served = this; }

TlsCertificates::Pair* TlsCertificates::current() {
  if (served == nullptr) return nullptr;
  const std::lock_guard lock(served->mutex_);
  return served->pairs_.back().get();
}

void* TlsCertificates::callback() {
  gnutls_certificate_retrieve_function2* const give =
      [](gnutls_session_t, const gnutls_datum_t*, int, const gnutls_pk_algorithm_t*, int,
         gnutls_pcert_st** chain, unsigned* n, gnutls_privkey_t* key) {
        Pair* pair = current();
        if (pair == nullptr) return -1;
        *chain = pair->chain.data();
        *n = pair->n;
        *key = pair->private_key;
        return 0;
      };
  return reinterpret_cast<void*>(give);
}

}  // namespace braid
