// The certificate that TLS connections are shown, and its key. Another may take its place at any
// time: connections that are open stay as they are, those that come get the new one.
//
// GnuTLS asks for it through a function that is told of nothing but the session, so whoever runs
// handshakes says first, on his thread, whose certificates they are.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace braid {

class TlsCertificates {
 public:
  // PEM, the certificate with its chain. Throws Error that says what is wrong with them.
  TlsCertificates(const std::string& certificate, const std::string& key);
  ~TlsCertificates();
  TlsCertificates(const TlsCertificates&) = delete;
  TlsCertificates& operator=(const TlsCertificates&) = delete;

  // As above; then what was there stays. From any thread.
  void replace(const std::string& certificate, const std::string& key);

  // Handshakes of this thread show these from now on.
  void serve_this_thread() const;
  // A gnutls_certificate_retrieve_function2.
  static void* callback();

 private:
  struct Pair;
  static Pair* current();

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Pair>> pairs_;  // handshakes may still use those before the last
};

}  // namespace braid
