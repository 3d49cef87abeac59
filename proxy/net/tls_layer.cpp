#include "net/tls_layer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/openssl_handles.h"
#include "net/stream.h"
#include "net/system_calls.h"
#include "net/tls_context.h"

namespace tidegate::net {

namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;  // 16 KiB
constexpr std::size_t kGatherBytes = 50 * 1024;    // three whole records are gathered, the fourth goes out beside them: 64 KiB
constexpr std::size_t kMostHeld = 256 * 1024;      // a peer that asks for answers (key updates) and does not read them
constexpr std::size_t kSubjectBytes = 1024;        // longer ones are not passed on
constexpr int kNamesShown = 5;                     // of a certificate, in a message

}  // namespace

// --- the socket's side: OpenSSL's BIO

struct TlsLayer::Io {
  static TlsLayer& layer(BIO* bio) noexcept { return *static_cast<TlsLayer*>(BIO_get_data(bio)); }
  static int read(BIO* bio, char* to, int most) {
    BIO_clear_retry_flags(bio);
    TlsLayer& self = layer(bio);
    const int n = self.pull(to, most);
    if (n < 0 && self.stream_->error_ == 0) BIO_set_retry_read(bio);
    return n;
  }
  static int write(BIO* bio, const char* from, int count) {
    BIO_clear_retry_flags(bio);
    return layer(bio).push(from, count);
  }
  static long control(BIO* bio, int what, long, void*) {
    if (what == BIO_CTRL_FLUSH) return 1;
    return what == BIO_CTRL_EOF && layer(bio).at_eof_ ? 1 : 0;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tidegate");
      BIO_meth_set_read(method, &Io::read);
      BIO_meth_set_write(method, &Io::write);
      BIO_meth_set_ctrl(method, &Io::control);
      return method;
    }();
    return made;
  }
};

/// -1 with stream_->error_ == 0: nothing there for now.
int TlsLayer::pull(char* to, int most) noexcept {
  stream_->error_ = 0;
  while (in_.empty()) {
    if (!stream_->readable_) return -1;
    if (much_) in_.prefer_large();
    in_.ensure();
    const ssize_t n = receive(stream_->descriptor_, in_.free_space(), in_.free_bytes());
    if (n > 0) {
      in_.commit(static_cast<std::size_t>(n));
      // Short: the socket is empty, and the next byte brings an event, unless the end is already known.
      if (in_.free_bytes() > 0 && !stream_->ended_) stream_->readable_ = false;
    } else if (n == 0) {
      stream_->ended_ = at_eof_ = true;
      return 0;
    } else if (errno == EAGAIN) {
      stream_->readable_ = false;
    } else if (errno != EINTR) {
      stream_->error_ = errno;
      stream_->ended_ = true;
      return -1;
    }
  }
  const std::size_t taken = std::min(in_.size(), static_cast<std::size_t>(most));
  std::memcpy(to, in_.data(), taken);
  in_.consume(taken);
  return static_cast<int>(taken);
}

/// Takes everything always: what the socket does not take is kept.
int TlsLayer::push(const char* from, int count) noexcept {
  const auto bytes = static_cast<std::size_t>(count);
  if (send_broken_ || out_.size() + bytes > kMostHeld) {
    send_broken_ = true;
    return -1;
  }
  std::size_t sent = 0;
  while (direct_ && stream_->writable_ && sent == 0) {
    std::array<iovec, 2> parts{iovec{out_.data(), out_.size()}, iovec{const_cast<char*>(from), bytes}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t n = out_.empty() ? net::send(stream_->descriptor_, from, bytes, MSG_NOSIGNAL)
                                   : net::send(stream_->descriptor_, message, MSG_NOSIGNAL);
    if (n >= 0) {
      sent = static_cast<std::size_t>(n);
      stream_->writable_ = sent == out_.size() + bytes;  // short: full, and the kernel tells when there is room
    } else if (errno == EAGAIN) {
      stream_->writable_ = false;
    } else if (errno != EINTR) {
      stream_->error_ = errno;
      send_broken_ = true;
      return -1;
    }
  }
  flushed_ += sent;
  const std::size_t of_held = std::min(sent, out_.size());
  out_.consume(of_held);
  if (sent - of_held < bytes) out_.append({from + (sent - of_held), bytes - (sent - of_held)});
  if (out_.empty()) out_.release();
  return count;
}

bool TlsLayer::flush() noexcept {
  while (!out_.empty() && stream_->writable_ && !send_broken_) {
    const ssize_t n = net::send(stream_->descriptor_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      stream_->writable_ = static_cast<std::size_t>(n) == out_.size();
      flushed_ += static_cast<std::uint64_t>(n);
      out_.consume(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      stream_->writable_ = false;
    } else if (errno != EINTR) {
      stream_->error_ = errno;
      send_broken_ = true;
    }
  }
  if (!out_.empty()) return false;
  out_.release();
  return true;
}

// --- making and ending

TlsLayer::TlsLayer(BlockPool& blocks, ssl_st* ssl) : ssl_(ssl), in_(blocks), out_(blocks, BlockSize::Small) {
  SSL_set_app_data(ssl, this);
}

/// OpenSSL reads and writes through this layer instead of a socket.
bool TlsLayer::take_bytes_from_here() noexcept {
  BIO* const bio = BIO_new(Io::method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  return true;
}

std::unique_ptr<TlsLayer> TlsLayer::accept(BlockPool& blocks, std::shared_ptr<const TlsServerContext> context,
                                           std::string_view received) {
  SSL* const ssl = context->open();
  if (ssl == nullptr) return nullptr;
  std::unique_ptr<TlsLayer> made(new TlsLayer(blocks, ssl));
  made->server_ = std::move(context);
  made->in_.append(received);
  if (!made->take_bytes_from_here()) return nullptr;
  return made;
}

std::unique_ptr<TlsLayer> TlsLayer::connect(BlockPool& blocks, std::shared_ptr<const TlsClientContext> context,
                                            const std::string& host, TlsSessionSlot* session) {
  SSL* const ssl = context->open(host);
  if (ssl == nullptr) return nullptr;
  std::unique_ptr<TlsLayer> made(new TlsLayer(blocks, ssl));
  made->wanted_ = context->wanted_name(host);
  made->session_ = session;
  if (session != nullptr) {
    session->bind(context->id());
    if (session->get() != nullptr) SSL_set_session(ssl, session->get());
  }
  made->client_ = std::move(context);
  if (!made->take_bytes_from_here()) return nullptr;
  return made;
}

void TlsLayer::offer_only(std::string_view protocol) noexcept {
  std::array<unsigned char, 256> offered{};
  offered[0] = static_cast<unsigned char>(protocol.size());
  std::copy(protocol.begin(), protocol.end(), offered.begin() + 1);
  SSL_set_alpn_protos(ssl_, offered.data(), static_cast<unsigned>(protocol.size() + 1));
}

/// Without the flags OpenSSL would take a session from whoever may resume it, because the connection "was not closed".
TlsLayer::~TlsLayer() {
  HeavyWork::unlink();
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

void TlsLayer::send_close_notify() noexcept {
  if (stage_ != Stage::Established || send_broken_ || end_ == IoStatus::Reset) return;
  if ((SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) == 0) {  // a second call would wait for the peer's
    ERR_clear_error();
    direct_ = true;
    SSL_shutdown(ssl_);
    direct_ = false;
  }
  flush();
}

// --- the handshake

/// The first step of a server is the dear one: the signature.
bool TlsLayer::shake_hands(HandshakeRate* rate, Duration patience, IoStatus& status) {
  switch (stage_) {
    case Stage::Established: status = IoStatus::Ok; return true;
    case Stage::Failed: status = IoStatus::Reset; return true;
    case Stage::Queued: return false;
    case Stage::Running: return step(status);
    case Stage::New: break;
  }
  if (SSL_is_server(ssl_) == 0) {
    stage_ = Stage::Running;
    return step(status);
  }
  if (!stream_->readable_ && in_.empty()) return false;
  const auto admission = rate == nullptr ? HandshakeRate::Admission::Now : rate->ask(*this, patience);
  if (admission == HandshakeRate::Admission::Never) {
    give_up_handshake(TlsResult::Limited);
    status = IoStatus::Reset;
    return true;
  }
  stage_ = Stage::Queued;
  if (admission == HandshakeRate::Admission::Now) stream_->reactor_.queue(*this);
  return false;
}

void TlsLayer::on_admitted() { stream_->reactor_.queue(*this); }

void TlsLayer::do_heavy_work() {
  stage_ = Stage::Running;
  if (stream_->ended_ || stream_->broken_) {  // it did not wait: nothing is signed for it
    at_eof_ = true;
    give_up_handshake(TlsResult::Closed);
  }
  stream_->continue_handshake();  // may be the end of this
}

void TlsLayer::give_up_handshake(TlsResult why) noexcept {
  leave_queue();
  HeavyWork::unlink();
  stage_ = Stage::Failed;
  result_ = why;
  if (why == TlsResult::Timeout) failure_ = "the handshake took too long";
  if (why == TlsResult::Limited) failure_ = "over limits.tls_handshakes";
  if (why == TlsResult::Closed) failure_ = "the peer closed the connection before the handshake was done";
}

/// The tickets of a TLS 1.3 server go out with the first answer, or when its client is waited for.
bool TlsLayer::step(IoStatus& status) {
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_);
  const bool waits = returned != 1 && SSL_get_error(ssl_, returned) == SSL_ERROR_WANT_READ;
  const bool tickets_wait = returned == 1 && SSL_is_server(ssl_) == 1 && SSL_version(ssl_) == TLS1_3_VERSION;
  if (returned != 1 && !waits) fail();
  if (in_.empty()) in_.release();
  if (!tickets_wait) flush();
  if (waits && !send_broken_) return false;
  if (waits) give_up_handshake(TlsResult::Closed);
  if (returned == 1) {
    stage_ = Stage::Established;
    result_ = TlsResult::Ok;
    status = IoStatus::Ok;
  } else {
    stage_ = Stage::Failed;
    status = IoStatus::Reset;
  }
  server_.reset();
  client_.reset();
  return true;
}

namespace {

TlsResult result_of(int reason) noexcept {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: return TlsResult::Plain;  // the first bytes are no record's
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE: return TlsResult::Version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_APPLICATION_PROTOCOL: return TlsResult::Parameters;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TlsResult::NoCertificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return TlsResult::BadCertificate;
    default: return reason > SSL_AD_REASON_OFFSET ? TlsResult::Refused : TlsResult::Protocol;
  }
}

}  // namespace

TlsResult result_of_tls_error(unsigned long error) noexcept {
  return result_of(ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0);
}

void TlsLayer::fail() {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  result_ = result_of(reason);
  if (stream_->error_ != 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || (code == 0 && at_eof_)) result_ = TlsResult::Closed;
  switch (result_) {
    case TlsResult::Closed:
      failure_ = "the peer closed the connection before the handshake was done";
      if (stream_->error_ != 0) failure_ += std::string(" (") + std::strerror(stream_->error_) + ")";
      break;
    case TlsResult::Plain: failure_ = "the peer does not speak TLS"; break;
    case TlsResult::BadCertificate: failure_ = "certificate verify failed: " + verify_failure_; break;
    case TlsResult::Refused: failure_ = "refused by the peer: " + openssl::take_error(); break;
    default: failure_ = openssl::take_error();
  }
  ERR_clear_error();
}

namespace {

std::string names_text(X509* certificate) {
  const openssl::Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < std::min(count, kNamesShown); ++i) {
    const openssl::Bio bio(BIO_new(BIO_s_mem()));
    GENERAL_NAME_print(bio.get(), sk_GENERAL_NAME_value(names.get(), i));
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    text += (text.empty() ? "" : ", ") + std::string(data, static_cast<std::size_t>(size));
  }
  if (count > kNamesShown) text += ", ...";
  return text.empty() ? "no name" : text;
}

std::string subject_text(X509* certificate) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

}  // namespace

/// Keeps the first reason, with the names that it is about.
int TlsLayer::on_verify(int good, x509_store_ctx_st* context) {
  if (good == 1) return good;
  auto* const ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const layer = static_cast<TlsLayer*>(SSL_get_app_data(ssl));
  if (layer == nullptr) return good;  // a connection of the admin API, which has no use for the reason
  TlsLayer& self = *layer;
  if (!self.verify_failure_.empty()) return good;
  const int error = X509_STORE_CTX_get_error(context);
  X509* const about = X509_STORE_CTX_get_current_cert(context);
  self.verify_failure_ = X509_verify_cert_error_string(error);
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    self.verify_failure_ += " (wanted " + self.wanted_ + "; the certificate is for " + names_text(about) + ")";
  } else if (about != nullptr) {
    self.verify_failure_ += " (" + subject_text(about).substr(0, kSubjectBytes) + ")";
  }
  return good;
}

TlsSessionSlot* TlsLayer::session_slot(ssl_st* ssl) noexcept { return static_cast<TlsLayer*>(SSL_get_app_data(ssl))->session_; }

bool TlsLayer::resumed() const noexcept { return SSL_session_reused(ssl_) == 1; }

std::string_view TlsLayer::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view TlsLayer::version() const noexcept { return SSL_get_version(ssl_); }
std::string_view TlsLayer::cipher() const noexcept { return SSL_get_cipher_name(ssl_); }

std::string_view TlsLayer::server_name() const noexcept {
  const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? std::string_view(name) : std::string_view();
}

std::string TlsLayer::peer_fingerprint() const {
  const X509* const peer = SSL_get0_peer_certificate(ssl_);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (peer == nullptr || X509_digest(peer, EVP_sha256(), digest.data(), &size) != 1) return {};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) (text += kDigits[digest[i] >> 4]) += kDigits[digest[i] & 15];
  return text;
}

std::string TlsLayer::peer_subject() const {
  X509* const peer = SSL_get0_peer_certificate(ssl_);
  std::string text = peer != nullptr ? subject_text(peer) : std::string();
  return text.size() <= kSubjectBytes ? text : std::string();
}

bool TlsLayer::peer_certificate_is_current() const noexcept {
  const X509* const peer = SSL_get0_peer_certificate(ssl_);
  return peer == nullptr || X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

// --- reading

bool TlsLayer::holds_input() const noexcept { return !in_.empty() || end_ != IoStatus::Ok || SSL_pending(ssl_) > 0; }

/// Of a read. Once it has ended it stays so.
TlsLayer::Outcome TlsLayer::outcome_of(int returned) noexcept {
  if (returned == 1) return Outcome::Progress;
  const int error = SSL_get_error(ssl_, returned);
  if (error == SSL_ERROR_WANT_READ) return Outcome::Blocked;
  stream_->ended_ = true;
  end_ = error == SSL_ERROR_ZERO_RETURN ? IoStatus::Eof : IoStatus::Reset;
  if (error == SSL_ERROR_SSL && !at_eof_) failure_ = openssl::take_error();
  ERR_clear_error();
  return Outcome::Ended;
}

bool TlsLayer::attempt(ByteStream::ReadOp& op) noexcept {
  looked_ = false;
  op.result.status = stage_ == Stage::Established ? end_ : IoStatus::Reset;
  if (op.result.status != IoStatus::Ok) return true;
  if (op.pipe != nullptr) {
    op.result.status = IoStatus::NotSpliced;
    return true;
  }
  if (!stream_->readable_ && !holds_input()) return false;
  if (op.buffer == nullptr && op.size == 0) {
    const Look found = look();
    if (found == Look::Ended) op.result.status = end_;
    return found != Look::Nothing;
  }
  if (op.buffer != nullptr) {
    if (op.expected == Expect::Much) op.buffer->prefer_large();
    op.buffer->reserve(1);
    op.data = op.buffer->free_space();
    op.size = op.buffer->free_bytes();
  }
  much_ = op.expected == Expect::Much;
  ERR_clear_error();
  Outcome outcome = Outcome::Progress;
  while (outcome == Outcome::Progress && op.result.bytes < op.size) {
    std::size_t n = 0;
    outcome = outcome_of(SSL_read_ex(ssl_, op.data + op.result.bytes, op.size - op.result.bytes, &n));
    op.result.bytes += n;
    if (!holds_input() && !(much_ && stream_->readable_)) break;
  }
  if (in_.empty()) in_.release();
  flush();
  if (op.buffer != nullptr) op.buffer->commit(op.result.bytes);
  if (op.result.bytes > 0) return true;
  op.result.status = end_;
  if (end_ == IoStatus::Ok && op.buffer != nullptr && op.buffer->empty()) op.buffer->release();
  return end_ != IoStatus::Ok;
}

/// What a read would find; takes records in which there is nothing to read.
TlsLayer::Look TlsLayer::look() noexcept {
  if (stage_ != Stage::Established || end_ != IoStatus::Ok) return Look::Ended;
  if (SSL_pending(ssl_) > 0) return Look::Data;
  if (!stream_->readable_ && in_.empty()) return Look::Nothing;
  char byte;
  std::size_t n = 0;
  much_ = false;
  ERR_clear_error();
  const Outcome outcome = outcome_of(SSL_peek_ex(ssl_, &byte, 1, &n));
  if (in_.empty()) in_.release();
  flush();
  looked_ = outcome == Outcome::Progress;
  return looked_ ? Look::Data : outcome == Outcome::Blocked ? Look::Nothing : Look::Ended;
}

// --- sending

bool TlsLayer::attempt(ByteStream::SendOp& op) noexcept {
  if (op.pipe != nullptr) {
    op.result.status = IoStatus::NotSpliced;
    return true;
  }
  for (;;) {
    flush();
    if (send_broken_ || stage_ != Stage::Established) {
      stream_->readable_ = true;
      look();  // perhaps it said why
      op.result.bytes += take_doubtful();
      op.result.status = IoStatus::Reset;
      return true;
    }
    if (!out_.empty()) return false;
    op.result.bytes += std::exchange(encrypted_, 0);
    while (op.first < op.count && op.parts[op.first].iov_len == 0) ++op.first;
    if (op.first == op.count) return true;
    if (!encrypt(op)) send_broken_ = true;
  }
}

namespace {

/// Takes up to `most` bytes from the front of the parts. Small parts share a record, so they are copied together.
std::string_view take_record(ByteStream::SendOp& op, std::array<char, kRecordBytes>& space) noexcept {
  const auto take = [&op](std::size_t bytes) {
    iovec& part = op.parts[op.first];
    const char* const from = static_cast<const char*>(part.iov_base);
    part.iov_base = static_cast<char*>(part.iov_base) + bytes;
    part.iov_len -= bytes;
    if (part.iov_len == 0) ++op.first;
    return from;
  };
  const std::size_t front = op.parts[op.first].iov_len;
  if (front >= kRecordBytes || op.first + 1 == op.count) {
    const std::size_t bytes = std::min(front, kRecordBytes);
    return {take(bytes), bytes};
  }
  std::size_t size = 0;
  while (op.first < op.count && size < kRecordBytes) {
    const std::size_t bytes = std::min(op.parts[op.first].iov_len, kRecordBytes - size);
    std::memcpy(space.data() + size, take(bytes), bytes);
    size += bytes;
  }
  return {space.data(), size};
}

}  // namespace

std::size_t TlsLayer::take_doubtful() noexcept {
  const std::size_t given = std::exchange(encrypted_, 0);
  return flushed_ == began_at_ ? 0 : given;
}

/// Up to 64 KiB of it, in one system call.
bool TlsLayer::encrypt(ByteStream::SendOp& op) noexcept {
  std::array<char, kRecordBytes> space;
  began_at_ = flushed_;
  ERR_clear_error();
  bool good = true;
  while (good && op.first < op.count && !direct_) {
    const std::string_view record = take_record(op, space);
    const bool last = op.first == op.count || out_.size() + record.size() > kGatherBytes;
    if (!last) out_.prefer_large();
    direct_ = last;
    std::size_t written = 0;
    good = SSL_write_ex(ssl_, record.data(), record.size(), &written) == 1;
    encrypted_ += record.size();
  }
  direct_ = false;
  return good;
}

}  // namespace tidegate::net
