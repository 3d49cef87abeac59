#include "outbound/trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>

namespace tidegate::outbound {

namespace ssl = boost::asio::ssl;
using IoError = boost::system::error_code;

namespace {

std::string about(const std::string& file, const IoError& error) { return file + ": " + error.message(); }

/// Reads the client's certificate and key. @return what is wrong; empty when nothing.
std::string load_identity(ssl::context& context, const TlsPolicy& policy) {
  if (policy.cert.empty() && policy.key.empty()) return {};
  if (policy.cert.empty() || policy.key.empty()) return "a client certificate needs both files, cert and key";
  IoError error;
  context.use_certificate_chain_file(policy.cert, error);
  if (error) return about(policy.cert, error);
  context.use_private_key_file(policy.key, ssl::context::pem, error);
  if (error) return about(policy.key, error);
  if (::SSL_CTX_check_private_key(context.native_handle()) != 1) {
    ::ERR_clear_error();
    return policy.key + ": not the key of " + policy.cert;
  }
  return {};
}

/// Read once, as it takes 20 ms and no program expects the system's list to change under it; never freed.
::X509_STORE* system_store() {
  static ::X509_STORE* const store = [] {
    ::X509_STORE* const made = ::X509_STORE_new();
    if (made != nullptr) ::X509_STORE_set_default_paths(made);
    ::ERR_clear_error();
    return made;
  }();
  return store;
}

std::string load_authorities(ssl::context& context, const TlsPolicy& policy) {
  if (policy.ca.empty()) {
    if (system_store() == nullptr) return "the system's certificate authorities can't be read";
    ::SSL_CTX_set1_cert_store(context.native_handle(), system_store());
    return {};
  }
  IoError error;
  context.load_verify_file(policy.ca, error);
  return error ? about(policy.ca, error) : std::string();
}

}  // namespace

std::pair<std::unique_ptr<ssl::context>, std::string> make_context(const TlsPolicy& policy) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  IoError ignored;
  context->set_verify_mode(policy.verify ? ssl::verify_peer : ssl::verify_none, ignored);
  // A key with a passphrase would otherwise be asked for at the terminal.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, ignored);
  std::string problem = load_identity(*context, policy);
  if (problem.empty() && policy.verify) problem = load_authorities(*context, policy);
  if (!problem.empty()) return {nullptr, std::move(problem)};
  return {std::move(context), std::string()};
}

std::optional<std::string> problem_of(const TlsPolicy& policy) {
  auto [context, problem] = make_context(policy);
  return context ? std::nullopt : std::optional(std::move(problem));
}

}  // namespace tidegate::outbound
