// Certificates for tests, made by OpenSSL's library in a folder of their own that goes with the test.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/context.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace tidegate::outbound::test {

struct Free {
  void operator()(::EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
  void operator()(::X509* one) const { ::X509_free(one); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// A certificate and its key, as PEM files.
struct Identity {
  std::string cert, key;
};

/// An authority that issues certificates.
class Authority {
 public:
  Authority() : folder_(make_folder()), key_(::EVP_EC_gen("P-256")), own_(make("authority", key_.get(), {}, 3600)) {
    write(ca(), own_.get());
  }
  ~Authority() { std::filesystem::remove_all(folder_); }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string ca() const { return folder_ + "/ca.pem"; }
  /// @param names as OpenSSL writes them: "DNS:localhost", "IP:127.0.0.1".
  /// @param seconds until it expires; negative = it has expired.
  Identity issue(const std::string& names, long seconds = 3600, const std::string& subject = "test") {
    const std::unique_ptr<::EVP_PKEY, Free> key(::EVP_EC_gen("P-256"));
    const auto one = make(subject, key.get(), names, seconds);
    const std::string stem = folder_ + "/" + std::to_string(++serial_);
    Identity out{stem + ".crt", stem + ".key"};
    write(out.cert, one.get());
    const std::unique_ptr<std::FILE, Free> file(std::fopen(out.key.c_str(), "w"));
    ::PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return out;
  }
  /// A server's context with a certificate of this authority.
  std::shared_ptr<boost::asio::ssl::context> server(const Identity& identity) const {
    auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
    context->use_certificate_chain_file(identity.cert);
    context->use_private_key_file(identity.key, boost::asio::ssl::context::pem);
    return context;
  }

 private:
  using Certificate = std::unique_ptr<::X509, Free>;

  static std::string make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-tls-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    return name;
  }
  static void write(const std::string& path, ::X509* one) {
    const std::unique_ptr<std::FILE, Free> file(std::fopen(path.c_str(), "w"));
    ::PEM_write_X509(file.get(), one);
  }
  static void extend(::X509* one, int what, const std::string& value) {
    ::X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
    ASSERT_NE(extension, nullptr);
    ::X509_add_ext(one, extension, -1);
    ::X509_EXTENSION_free(extension);
  }
  /// Without names it is the authority's own.
  Certificate make(const std::string& subject, ::EVP_PKEY* key, const std::string& names, long seconds) {
    Certificate one(::X509_new());
    ::X509_set_version(one.get(), 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(one.get()), 100 + serial_);
    ::X509_gmtime_adj(::X509_getm_notBefore(one.get()), -7200);
    ::X509_gmtime_adj(::X509_getm_notAfter(one.get()), seconds);
    ::X509_set_pubkey(one.get(), key);
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(one.get()), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    ::X509_set_issuer_name(one.get(), ::X509_get_subject_name(own_ ? own_.get() : one.get()));
    extend(one.get(), NID_basic_constraints, names.empty() ? "critical,CA:TRUE" : "CA:FALSE");
    if (!names.empty()) extend(one.get(), NID_subject_alt_name, names);
    ::X509_sign(one.get(), key_.get(), ::EVP_sha256());
    return one;
  }

  std::string folder_;
  long serial_ = 0;
  std::unique_ptr<::EVP_PKEY, Free> key_;
  Certificate own_;
};

}  // namespace tidegate::outbound::test
