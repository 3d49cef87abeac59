#include "net/tls_context.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

#include "net/openssl_handles.h"
#include "net/tls_layer.h"

namespace tidegate::net {

namespace {

// Mozilla's "intermediate" set without finite-field DH: https://wiki.mozilla.org/Security/Server_Side_TLS (version 5.7).
constexpr const char* kServerCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kServerSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr long kSessionLifetime = 2 * 60 * 60;  // seconds; what a ticket may bring back of a client certificate, too
constexpr long kClientChainBytes = 32 * 1024;   // that a client may send; OpenSSL allows 100 KiB

/// Where distributions keep all authorities in one file, read into memory at the start: a folder of them would be read
/// by workers, one file a handshake.
constexpr std::array kSystemFiles{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                  "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

void add_protocol(std::vector<unsigned char>& list, const std::string& name) {
  list.push_back(static_cast<unsigned char>(name.size()));
  list.insert(list.end(), name.begin(), name.end());
}

std::string digest_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

/// What both kinds of contexts have in common.
void harden(SSL_CTX* context, TlsVersion least) {
  SSL_CTX_set_min_proto_version(context, least == TlsVersion::V13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);  // an end without close_notify is a truncation
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);           // an idle connection holds none
  SSL_CTX_set1_groups_list(context, kGroups);
}

}  // namespace

// --- TlsAuthorities

std::shared_ptr<const TlsAuthorities> TlsAuthorities::load(const std::string& path, std::string& problem) {
  if (path.empty()) {
    static const std::shared_ptr<const TlsAuthorities> system = [] {
      std::string ignored;
      const char* const named = std::getenv(X509_get_default_cert_file_env());
      std::shared_ptr<const TlsAuthorities> found;
      if (named != nullptr && *named != '\0') found = load(named, ignored);
      for (const char* const file : kSystemFiles) found = found ? found : load(file, ignored);
      if (found) return found;
      X509_STORE* const store = X509_STORE_new();
      if (store != nullptr) X509_STORE_set_default_paths(store);
      ERR_clear_error();
      return std::shared_ptr<const TlsAuthorities>(new TlsAuthorities(store));
    }();
    if (system->store_ == nullptr) problem = "the system's certificate authorities cannot be read";
    return system->store_ != nullptr ? system : nullptr;
  }
  std::string text;
  if (!read_tls_file(path, text)) {
    problem = path + ": cannot be read: " + text;
    return nullptr;
  }
  openssl::Store store(X509_STORE_new());
  const openssl::Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::size_t count = 0;
  while (store && bio) {
    const openssl::Certificate one(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    count += static_cast<std::size_t>(X509_STORE_add_cert(store.get(), one.get()));
  }
  const unsigned long last = ERR_peek_last_error();
  const bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  const std::string error = openssl::take_error();
  if (count == 0 || !ended) {
    problem = path + ": " + (count == 0 ? "holds no certificate in PEM form" : "a certificate is damaged") + " (" + error + ")";
    return nullptr;
  }
  std::shared_ptr<TlsAuthorities> made(new TlsAuthorities(store.release()));
  made->fingerprint_ = digest_of(text);
  return made;
}

TlsAuthorities::~TlsAuthorities() { X509_STORE_free(store_); }

// --- TlsServerContext: what OpenSSL asks while it shakes hands

struct TlsServerContext::Callbacks {
  static const TlsServerContext& of(void* context) { return *static_cast<const TlsServerContext*>(context); }

  static int pick_certificate(SSL* ssl, int*, void* context) {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_OK;
    SSL_CTX* const wanted = of(context).group_for(name).context;
    if (SSL_get_SSL_CTX(ssl) != wanted) SSL_set_SSL_CTX(ssl, wanted);
    return SSL_TLSEXT_ERR_OK;
  }

  /// RFC 7301 §3.2: a client that knows none of ours is refused, not guessed at.
  static int pick_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                           void* context) {
    const std::vector<unsigned char>& ours = of(context).protocols_;
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, out_size, ours.data(), static_cast<unsigned>(ours.size()), in, in_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static int staple(SSL* ssl, void* group) {
    const X509* const chosen = SSL_get_certificate(ssl);
    for (const TlsCertificate* const one : static_cast<const Group*>(group)->members) {
      if (one->leaf() != chosen) continue;
      const std::string_view response = one->staple();
      if (response.empty()) break;
      void* const copy = OPENSSL_memdup(response.data(), response.size());  // freed by OpenSSL
      if (copy == nullptr) break;
      SSL_set_tlsext_status_ocsp_resp(ssl, static_cast<unsigned char*>(copy), static_cast<long>(response.size()));
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  static bool use(const TicketKey& key, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, unsigned char* iv, bool seal) {
    std::array<OSSL_PARAM, 3> params{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.mac.data()), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0), OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(mac, params.data()) != 1) return false;
    return seal ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) == 1
                : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) == 1;
  }

  /// SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 = used, 2 = used and to be replaced, 0 = unknown (a full handshake follows).
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
    TicketKeys& keys = *of(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl))).tickets_;
    if (seal == 1) {
      const TicketKey key = keys.current(Clock::now());
      std::copy(key.name.begin(), key.name.end(), name);
      if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
      return use(key, cipher, mac, iv, true) ? 1 : -1;
    }
    const auto found = keys.find(std::span<const unsigned char, 16>(name, 16), Clock::now());
    if (!found) return 0;
    if (!use(found->key, cipher, mac, iv, false)) return -1;
    return found->is_current && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;  // RFC 8446 appendix C.4: a ticket is used once
  }
};

// --- TlsServerContext

std::shared_ptr<const TlsServerContext> TlsServerContext::make(const TlsServerPolicy& policy, const std::string& scope,
                                                               TicketKeys& tickets, Certificates certificates,
                                                               std::shared_ptr<const TlsAuthorities> clients,
                                                               std::string& problem) {
  std::shared_ptr<TlsServerContext> made(new TlsServerContext);
  made->certificates_ = std::move(certificates);
  made->clients_ = std::move(clients);
  if (!made->build(policy, scope, tickets, problem)) return nullptr;
  return made;
}

TlsServerContext::~TlsServerContext() {
  for (const auto& group : groups_) SSL_CTX_free(group->context);
}

bool TlsServerContext::build(const TlsServerPolicy& policy, const std::string& scope, TicketKeys& tickets,
                             std::string& problem) {
  tickets_ = &tickets;
  for (const std::string& name : policy.alpn) {
    if (std::find(kServedProtocols.begin(), kServedProtocols.end(), name) == kServedProtocols.end()) continue;
    add_protocol(protocols_, name);
  }
  for (const auto& certificate : certificates_) {
    std::size_t at = 0;
    for (; at < groups_.size(); ++at) {
      const auto& members = groups_[at]->members;
      const bool same_kind = std::any_of(members.begin(), members.end(), [&](const TlsCertificate* member) {
        return member->key_type() == certificate->key_type();
      });
      if (members.front()->names() == certificate->names() && !same_kind) break;
    }
    if (at == groups_.size()) {
      groups_.push_back(std::make_unique<Group>());
      groups_[at]->context = SSL_CTX_new(TLS_server_method());
      problem = groups_[at]->context != nullptr ? configure(groups_[at]->context, policy, scope) : openssl::take_error();
      if (!problem.empty()) return false;
      SSL_CTX_set_tlsext_status_arg(groups_[at]->context, groups_[at].get());
    }
    groups_[at]->members.push_back(certificate.get());
    problem = certificate->use_in(groups_[at]->context);
    if (!problem.empty()) return false;
    for (const std::string& name : certificate->names()) {
      if (name.starts_with("*.")) {
        wildcard_.emplace(name.substr(2), at);
      } else {
        exact_.emplace(name, at);
      }
    }
  }
  if (!groups_.empty()) return true;
  problem = "no certificate";
  return false;
}

std::string TlsServerContext::configure(ssl_ctx_st* context, const TlsServerPolicy& policy, const std::string& scope) {
  harden(context, policy.min_version);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (SSL_CTX_set_cipher_list(context, kServerCiphers) != 1 || SSL_CTX_set_ciphersuites(context, kServerSuites) != 1) {
    return openssl::take_error();
  }
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_tlsext_servername_callback(context, &Callbacks::pick_certificate);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  if (!protocols_.empty()) SSL_CTX_set_alpn_select_cb(context, &Callbacks::pick_protocol, this);
  SSL_CTX_set_tlsext_status_cb(context, &Callbacks::staple);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // sessions live in tickets
  SSL_CTX_set_timeout(context, kSessionLifetime);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &Callbacks::ticket_key);
  SSL_CTX_set_num_tickets(context, 2);  // RFC 8446 appendix C.4: a client with two connections needs two
  std::string bound_to = scope;
  if (clients_) {
    const bool required = policy.client_auth == ClientAuth::Require;
    bound_to += required ? "\nrequire\n" : "\noptional\n";
    bound_to += clients_->fingerprint();
    SSL_CTX_set1_cert_store(context, clients_->store());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), &TlsLayer::on_verify);
    SSL_CTX_set_max_cert_list(context, kClientChainBytes);
    STACK_OF(X509_OBJECT)* const all = X509_STORE_get0_objects(clients_->store());
    for (int i = 0; i < sk_X509_OBJECT_num(all); ++i) {  // the names that the client is shown
      X509* const one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
      if (one != nullptr) SSL_CTX_add_client_CA(context, one);
    }
  }
  const std::string id = digest_of(bound_to);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(id.data()), static_cast<unsigned>(id.size()));
  return {};
}

/// RFC 9525 §6.3: "*" stands for exactly one label.
const TlsServerContext::Group& TlsServerContext::group_for(std::string_view name) const {
  std::string wanted(name);
  for (char& c : wanted) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (const auto found = exact_.find(wanted); found != exact_.end()) return *groups_[found->second];
  const std::size_t dot = wanted.find('.');
  if (dot != std::string::npos && dot > 0) {
    if (const auto found = wildcard_.find(wanted.substr(dot + 1)); found != wildcard_.end()) return *groups_[found->second];
  }
  return *groups_.front();
}

ssl_st* TlsServerContext::open() const noexcept {
  SSL* const ssl = SSL_new(groups_.front()->context);
  if (ssl != nullptr) SSL_set_accept_state(ssl);
  ERR_clear_error();
  return ssl;
}

// --- TlsSessionSlot

void TlsSessionSlot::put(ssl_session_st* session) noexcept { SSL_SESSION_free(std::exchange(session_, session)); }

// --- TlsClientContext

namespace {

bool is_address(const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> space;
  return ::inet_pton(AF_INET, host.c_str(), space.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), space.data()) == 1;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  TlsSessionSlot* const slot = TlsLayer::session_slot(ssl);
  if (slot == nullptr) return 0;
  slot->put(session);
  return 1;
}

}  // namespace

TlsClientContext::TlsClientContext(const TlsClientPolicy& policy)
    : policy_(policy), id_([] {
        static std::atomic<std::uint64_t> last{0};
        return ++last;
      }()) {}

std::shared_ptr<const TlsClientContext> TlsClientContext::load(const TlsClientPolicy& policy, std::vector<TlsProblem>& problems) {
  std::shared_ptr<TlsClientContext> made(new TlsClientContext(policy));
  bool good = true;
  if (!policy.cert.empty()) {
    TlsCertificate::Loaded loaded = TlsCertificate::load({policy.cert, policy.key, {}});
    good = loaded.certificate != nullptr;
    made->certificate_ = std::move(loaded.certificate);
    problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
  }
  std::string problem;
  if (policy.verify || !policy.ca.empty()) made->authorities_ = TlsAuthorities::load(policy.ca, problem);
  if (!problem.empty()) problems.push_back({TlsProblem::About::Ca, 0, problem, false});
  if (!good || !problem.empty()) return nullptr;

  SSL_CTX* const context = made->context_ = SSL_CTX_new(TLS_client_method());
  if (context != nullptr) {
    harden(context, TlsVersion::V12);
    if (made->authorities_) SSL_CTX_set1_cert_store(context, made->authorities_->store());
    SSL_CTX_set_verify(context, policy.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, policy.verify ? &TlsLayer::on_verify : nullptr);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &keep_session);
    std::vector<unsigned char> protocols;
    for (const std::string& name : policy.alpn) add_protocol(protocols, name);
    SSL_CTX_set_alpn_protos(context, protocols.data(), static_cast<unsigned>(protocols.size()));
    if (made->certificate_) problem = made->certificate_->use_in(context);
    if (problem.empty()) return made;
  }
  problems.push_back({TlsProblem::About::Cert, 0, problem.empty() ? openssl::take_error() : policy.cert + ": " + problem, false});
  return nullptr;
}

TlsClientContext::~TlsClientContext() { SSL_CTX_free(context_); }

bool TlsClientContext::is_like(const TlsClientContext& other) const noexcept {
  const auto fingerprint = [](const auto& of) { return of ? std::string_view(of->fingerprint()) : std::string_view(); };
  return fingerprint(authorities_) == fingerprint(other.authorities_) && fingerprint(certificate_) == fingerprint(other.certificate_);
}

ssl_st* TlsClientContext::open(const std::string& host) const noexcept {
  SSL* const ssl = SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  const std::string& name = wanted_name(host);
  const bool address = is_address(name);
  bool good = true;
  if (!address) good = SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;  // RFC 6066 §3: no addresses
  if (policy_.verify) {
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
    // RFC 9525 §2: names are in subjectAltName; a common name is none, also where there is nothing else.
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    good = good && (address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) : X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), 0)) == 1;
  }
  SSL_set_connect_state(ssl);
  ERR_clear_error();
  if (good) return ssl;
  SSL_free(ssl);
  return nullptr;
}

}  // namespace tidegate::net
