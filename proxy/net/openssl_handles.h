// Owners of OpenSSL's objects, and its error queue as a text. For the tls_*.cpp files of this folder: no other header
// shows OpenSSL.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace tidegate::net::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* what) const noexcept {
    Free(what);
  }
};

inline void free_certificates(STACK_OF(X509) * all) noexcept { sk_X509_pop_free(all, X509_free); }
inline void free_names(GENERAL_NAMES* all) noexcept { GENERAL_NAMES_free(all); }

using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Certificates = std::unique_ptr<STACK_OF(X509), Deleter<free_certificates>>;
using Context = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Deleter<free_names>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using OcspResponse = std::unique_ptr<OCSP_RESPONSE, Deleter<OCSP_RESPONSE_free>>;
using OcspBasic = std::unique_ptr<OCSP_BASICRESP, Deleter<OCSP_BASICRESP_free>>;

/// The reason of the newest error of this thread; the queue is empty afterwards.
inline std::string take_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : code != 0 ? "error " + std::to_string(code) : "unknown error";
  ERR_clear_error();
  return text;
}

}  // namespace tidegate::net::openssl
