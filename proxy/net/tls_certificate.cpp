#include "net/tls_certificate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "net/openssl_handles.h"

namespace tidegate::net {

namespace {

constexpr std::size_t kFileBytes = 1u << 20;  // a chain is some 10 KiB, the system's authorities are 220 KiB

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::int64_t unix_time(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

std::string date_of(const ASN1_TIME* time) {
  std::tm parts{};
  std::array<char, 40> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::string hex(const unsigned char* bytes, std::size_t count) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

/// The wrong names are left out: a NUL inside one is an old attack (RFC 9525 knows none).
void add_name(std::vector<std::string>& to, const ASN1_STRING* from) {
  const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(from)),
                              static_cast<std::size_t>(ASN1_STRING_length(from)));
  if (!text.empty() && text.find('\0') == std::string_view::npos) to.push_back(lower(std::string(text)));
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const openssl::Names alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) add_name(names, name->d.dNSName);
  }
  if (!names.empty()) return names;
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) add_name(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  return names;
}

/// Instead of a question at the terminal.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

openssl::Bio bio_of(const std::string& text) {
  return openssl::Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

bool read_tls_file(const std::string& path, std::string& to) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr) {
    to = std::strerror(errno);
    return false;
  }
  to.assign(kFileBytes + 1, '\0');
  to.resize(std::fread(to.data(), 1, to.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    to = std::strerror(errno);
    return false;
  }
  if (to.size() <= kFileBytes) return true;
  to = "it is longer than 1 MiB";
  return false;
}

struct TlsCertificate::Parts {
  openssl::Certificate leaf;
  openssl::Certificates chain{sk_X509_new_null()};
  openssl::Key key;
  std::string staple;
  openssl::OcspBasic response;         // keeps next_update
  const ASN1_TIME* next_update = nullptr;
};

/// One reading of the files.
class TlsCertificate::Reading {
 public:
  Reading(const CertificateFiles& files, std::size_t index) : index_(index), made_(new TlsCertificate) { made_->files_ = files; }

  Loaded run() {
    read_cert();
    read_key();
    if (parts().leaf && parts().key) check_pair();
    if (parts().leaf && !files().ocsp.empty()) read_ocsp();
    Loaded out;
    const bool good = std::all_of(problems_.begin(), problems_.end(), [](const TlsProblem& p) { return p.is_warning; });
    if (good) out.certificate = std::move(made_);
    out.problems = std::move(problems_);
    return out;
  }

 private:
  using About = TlsProblem::About;
  Parts& parts() noexcept { return *made_->parts_; }
  const CertificateFiles& files() const noexcept { return made_->files_; }
  void fail(About about, const std::string& file, const std::string& what, bool warning = false) {
    problems_.push_back({about, index_, file + ": " + what, warning});
  }

  void read_cert() {
    std::string text;
    if (!read_tls_file(files().cert, text)) return fail(About::Cert, files().cert, "cannot be read: " + text);
    const openssl::Bio bio = bio_of(text);
    bool asked = false;
    parts().leaf.reset(PEM_read_bio_X509_AUX(bio.get(), nullptr, refuse_passphrase, &asked));
    if (!parts().leaf) {
      return fail(About::Cert, files().cert, "holds no certificate in PEM form (" + openssl::take_error() + ")");
    }
    while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, refuse_passphrase, &asked)) {
      sk_X509_push(parts().chain.get(), next);
    }
    const unsigned long last = ERR_peek_last_error();
    const bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    const std::string error = openssl::take_error();
    if (!ended) return fail(About::Cert, files().cert, "a certificate of the chain is damaged (" + error + ")");
    describe();
  }

  void describe() {
    X509* const leaf = parts().leaf.get();
    made_->names_ = names_of(leaf);
    made_->not_after_ = unix_time(X509_get0_notAfter(leaf));
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    if (X509_digest(leaf, EVP_sha256(), digest.data(), &size) == 1) made_->fingerprint_ = hex(digest.data(), size);
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) {
      fail(About::Cert, files().cert, "the certificate expired on " + date_of(X509_get0_notAfter(leaf)), true);
    } else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
      fail(About::Cert, files().cert, "the certificate is not valid before " + date_of(X509_get0_notBefore(leaf)), true);
    }
  }

  void read_key() {
    std::string text;
    if (!read_tls_file(files().key, text)) return fail(About::Key, files().key, "cannot be read: " + text);
    const openssl::Bio bio = bio_of(text);
    bool asked = false;
    parts().key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &asked));
    const std::string error = openssl::take_error();
    OPENSSL_cleanse(text.data(), text.size());
    if (parts().key) return;
    fail(About::Key, files().key,
         asked ? "the key is encrypted with a passphrase, and nobody is there to be asked; store it decrypted, readable by "
                 "Tidegate only"
               : "holds no private key in PEM form (" + error + ")");
  }

  void check_pair() {
    if (X509_check_private_key(parts().leaf.get(), parts().key.get()) != 1) {
      ERR_clear_error();
      return fail(About::Key, files().key, "is not the key of the certificate in " + files().cert);
    }
    const openssl::Context trial(SSL_CTX_new(TLS_server_method()));
    const std::string error = made_->use_in(trial.get());  // keys that are too short, digests that are too weak
    if (!error.empty()) fail(About::Cert, files().cert, "cannot be used: " + error);
  }

  void read_ocsp() {
    std::string& text = parts().staple;
    if (!read_tls_file(files().ocsp, text)) {
      fail(About::Ocsp, files().ocsp, "cannot be read: " + text);
      text.clear();
      return;
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const openssl::OcspResponse response(d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(text.size())));
    if (response && OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
      parts().response.reset(OCSP_response_get1_basic(response.get()));
    }
    ERR_clear_error();
    const std::string problem = parts().response ? check_response() : std::string();
    if (!parts().response) fail(About::Ocsp, files().ocsp, "is no successful OCSP response in DER form");
    if (!problem.empty()) fail(About::Ocsp, files().ocsp, problem + ": it is not stapled", true);
    if (!parts().response || !problem.empty()) text.clear();
  }

  /// @return why it is of no use; empty when it is.
  std::string check_response() {
    const ASN1_INTEGER* const serial = X509_get0_serialNumber(parts().leaf.get());
    for (int i = 0; i < OCSP_resp_count(parts().response.get()); ++i) {
      OCSP_SINGLERESP* const single = OCSP_resp_get0(parts().response.get(), i);
      ASN1_INTEGER* about = nullptr;
      OCSP_id_get0_info(nullptr, nullptr, nullptr, &about, const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
      if (about == nullptr || ASN1_INTEGER_cmp(about, serial) != 0) continue;
      ASN1_GENERALIZEDTIME* next = nullptr;
      const int status = OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
      parts().next_update = next;
      if (status != V_OCSP_CERTSTATUS_GOOD) return "it says that the certificate is " + std::string(OCSP_cert_status_str(status));
      if (next != nullptr && X509_cmp_current_time(next) < 0) return "it is out of date since " + date_of(next);
      return {};
    }
    return "it is about another certificate than the one in " + files().cert;
  }

  const std::size_t index_;
  std::shared_ptr<TlsCertificate> made_;
  std::vector<TlsProblem> problems_;
};

TlsCertificate::TlsCertificate() : parts_(std::make_unique<Parts>()) {}
TlsCertificate::~TlsCertificate() = default;

TlsCertificate::Loaded TlsCertificate::load(const CertificateFiles& files, std::size_t index) {
  return Reading(files, index).run();
}

bool TlsCertificate::is_valid_now() const noexcept {
  return X509_cmp_current_time(X509_get0_notAfter(parts_->leaf.get())) > 0 &&
         X509_cmp_current_time(X509_get0_notBefore(parts_->leaf.get())) < 0;
}

int TlsCertificate::key_type() const noexcept { return EVP_PKEY_get_base_id(parts_->key.get()); }

x509_st* TlsCertificate::leaf() const noexcept { return parts_->leaf.get(); }

std::string TlsCertificate::use_in(ssl_ctx_st* context) const {
  ERR_clear_error();
  if (SSL_CTX_use_cert_and_key(context, parts_->leaf.get(), parts_->key.get(), parts_->chain.get(), 1) == 1) return {};
  return openssl::take_error();
}

std::string_view TlsCertificate::staple() const noexcept {
  if (parts_->staple.empty()) return {};
  if (parts_->next_update != nullptr && X509_cmp_current_time(parts_->next_update) < 0) return {};
  return parts_->staple;
}

}  // namespace tidegate::net
