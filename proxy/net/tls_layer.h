// TLS between a Stream and its socket. Everything above sees the ByteStream that it knows; this turns its operations into
// records and back. It never waits: it says whether an operation is complete, and the Stream's events bring it back.
//
// OpenSSL reads from and writes to memory of ours (its BIO), for three reasons: no system call is made to learn that a
// socket is empty which the stream knows to be; one receive brings as many records as there are; and the records of one
// send are gathered, so that 64 KiB go out in one call, the last of them without being copied.
//
// Bytes in user space are never forgotten while the socket is waited for: what was received is decrypted first. An end
// without close_notify is a Reset: somebody else may have cut it (RFC 8446 §6.1). Messages that carry no data (tickets, key
// updates) are consumed wherever something looks for data, and are nothing "unexpected".
//
// Owned by a Stream; one worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "net/byte_stream.h"
#include "net/handshake_rate.h"
#include "net/reactor.h"
#include "net/tls_result.h"

struct bio_method_st;
struct bio_st;
struct ssl_st;
struct x509_store_ctx_st;

namespace tidegate::net {

class Stream;
class TlsClientContext;
class TlsServerContext;
class TlsSessionSlot;

class TlsLayer final : private HandshakeWaiter, private HeavyWork {
 public:
  /// For a client's connection. @param received what was read of the socket already (a PROXY header may bring more).
  /// nullptr: no memory.
  static std::unique_ptr<TlsLayer> accept(BlockPool& blocks, std::shared_ptr<const TlsServerContext> context,
                                          std::string_view received = {});
  /// For a connection to an endpoint. @param host its name or address. @param session where sessions come from and go to;
  /// outlives the layer; may be nullptr.
  static std::unique_ptr<TlsLayer> connect(BlockPool& blocks, std::shared_ptr<const TlsClientContext> context,
                                           const std::string& host, TlsSessionSlot* session);
  /// Before the handshake, on a connection to an endpoint: what is offered by ALPN instead of the context's protocols.
  void offer_only(std::string_view protocol) noexcept;
  ~TlsLayer();
  TlsLayer(const TlsLayer&) = delete;
  TlsLayer& operator=(const TlsLayer&) = delete;

  // --- what the handshake came to
  bool is_established() const noexcept { return stage_ == Stage::Established; }
  TlsResult result() const noexcept { return result_; }
  /// Why it failed, with names: "certificate verify failed: hostname mismatch (wanted a; the certificate is for b)".
  const std::string& failure() const noexcept { return failure_; }
  bool resumed() const noexcept;
  std::string_view protocol() const noexcept;   ///< negotiated by ALPN; empty: none
  std::string_view version() const noexcept;    ///< "TLSv1.3"
  std::string_view cipher() const noexcept;
  std::string_view server_name() const noexcept;  ///< that a client asked for; empty: none
  /// The peer's certificate: empty when it showed none. Verified where the context verifies.
  std::string peer_fingerprint() const;  ///< SHA-256, lower-case hex
  std::string peer_subject() const;      ///< RFC 2253
  /// False when the certificate that the session was resumed with has expired meanwhile.
  bool peer_certificate_is_current() const noexcept;

  // --- for OpenSSL's callbacks
  static int on_verify(int good, x509_store_ctx_st* context);
  static TlsSessionSlot* session_slot(ssl_st* ssl) noexcept;

 private:
  friend class Stream;
  enum class Stage : std::uint8_t { New, Queued, Running, Established, Failed };
  enum class Look : std::uint8_t { Data, Nothing, Ended };
  enum class Outcome : std::uint8_t { Progress, Blocked, Ended };

  TlsLayer(BlockPool& blocks, ssl_st* ssl);
  bool take_bytes_from_here() noexcept;
  void attach(Stream& stream) noexcept { stream_ = &stream; }

  // for Stream
  bool shake_hands(HandshakeRate* rate, Duration patience, IoStatus& status);
  void give_up_handshake(TlsResult why) noexcept;
  bool attempt(ByteStream::ReadOp& op) noexcept;
  bool attempt(ByteStream::SendOp& op) noexcept;
  Look look() noexcept;
  /// Bytes that were received and not yet taken, or the end.
  bool holds_input() const noexcept;
  bool holds_output() const noexcept { return !out_.empty(); }
  std::size_t held_bytes() const noexcept { return out_.size(); }
  bool has_read_end() const noexcept { return end_ != IoStatus::Ok; }
  /// Sends what waits. @return false when the socket took not all of it.
  bool flush() noexcept;
  std::uint64_t flushed() const noexcept { return flushed_; }
  void send_close_notify() noexcept;
  /// A send was cut: what follows would not make sense to the peer, so there is no orderly end either.
  void spoil() noexcept { send_broken_ = true; }
  /// Of a send that failed, bytes that are in records of which the socket took some: how many it had whole is not known.
  std::size_t take_doubtful() noexcept;
  bool has_looked() const noexcept { return looked_; }

  void on_admitted() override;
  void do_heavy_work() override;
  bool step(IoStatus& status);
  void fail();
  bool encrypt(ByteStream::SendOp& op) noexcept;
  Outcome outcome_of(int returned) noexcept;

  struct Io;
  int pull(char* to, int most) noexcept;
  int push(const char* from, int count) noexcept;

  ssl_st* const ssl_;
  Stream* stream_ = nullptr;
  Buffer in_;    // received, not yet decrypted
  Buffer out_;   // encrypted, not yet sent
  std::shared_ptr<const TlsServerContext> server_;  // until the handshake is done
  std::shared_ptr<const TlsClientContext> client_;
  TlsSessionSlot* session_ = nullptr;
  std::size_t encrypted_ = 0;   // bytes of the send in progress whose records are in out_
  std::uint64_t flushed_ = 0;   // bytes that the socket took
  std::uint64_t began_at_ = 0;  // of them, those before what is in out_ of the send in progress
  Stage stage_ = Stage::New;
  TlsResult result_ = TlsResult::Protocol;
  IoStatus end_ = IoStatus::Ok;  // of reading: Eof or Reset, once known
  bool send_broken_ = false;
  bool direct_ = false;   // what is pushed now is the last for the time being: it goes out at once
  bool much_ = false;     // the reader expects much
  bool looked_ = false;   // nobody has read since
  bool at_eof_ = false;   // of the socket
  std::string wanted_;    // the name that the peer has to prove
  std::string failure_;
  std::string verify_failure_;
};

}  // namespace tidegate::net
