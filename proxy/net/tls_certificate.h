// One certificate of ours with what belongs to it: the chain, the private key and, where there is one, the OCSP response
// that is stapled. Read from its files all at once or not at all; what is wrong is a sentence that names the file.
//
// An expired certificate, or one that is not valid yet, is read with a warning: an old certificate that some clients still
// take is better than no service (as HAProxy and NGINX see it). Who re-reads files decides otherwise (control/certificates.h).
//
// Immutable and shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls_policy.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace tidegate::net {

class TlsCertificate {
 public:
  struct Loaded {
    std::shared_ptr<const TlsCertificate> certificate;  ///< nullptr when a problem is not a warning
    std::vector<TlsProblem> problems;
  };
  /// Reads files: not for a worker. @param index for the problems.
  static Loaded load(const CertificateFiles& files, std::size_t index = 0);
  ~TlsCertificate();
  TlsCertificate(const TlsCertificate&) = delete;
  TlsCertificate& operator=(const TlsCertificate&) = delete;

  const CertificateFiles& files() const noexcept { return files_; }
  /// DNS names, lower case, wildcards as "*.example.com"; of one without any the common name.
  const std::vector<std::string>& names() const noexcept { return names_; }
  std::int64_t not_after() const noexcept { return not_after_; }  ///< seconds since the Unix epoch
  /// Neither expired nor of the future.
  bool is_valid_now() const noexcept;
  /// What tells two certificates apart: the SHA-256 of its bytes.
  const std::string& fingerprint() const noexcept { return fingerprint_; }
  /// "rsaEncryption" and the like: a context has one certificate of each.
  int key_type() const noexcept;
  x509_st* leaf() const noexcept;
  /// Gives a context the certificate, its chain and its key. @return what is wrong; empty when nothing.
  std::string use_in(ssl_ctx_st* context) const;
  /// The OCSP response; empty when there is none, or when it is out of date.
  std::string_view staple() const noexcept;

 private:
  struct Parts;
  class Reading;
  TlsCertificate();

  CertificateFiles files_;
  std::vector<std::string> names_;
  std::int64_t not_after_ = 0;
  std::string fingerprint_;
  std::unique_ptr<Parts> parts_;
};

/// The text of a file; at most 1 MiB. @return false with the reason in `to`.
bool read_tls_file(const std::string& path, std::string& to);

}  // namespace tidegate::net
