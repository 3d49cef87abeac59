// One client connection: finds out what it speaks, reads heads, runs one exchange after the other, and ends the connection in
// stages, so that what was answered arrives (linger.h). Pipelined requests wait in the buffer and are answered in order. A
// connection that carries many exchanges at a time is handed to a Multiplex. While it waits for a request it holds no block and no
// exchange, which is what keeps idle connections small.
//
// Owned by its worker; retired at the end of its coroutine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/intrusive_list.h"
#include "base/task.h"
#include "forward/client_limit.h"
#include "forward/downstream.h"
#include "forward/multiplex.h"
#include "forward/pause.h"
#include "forward/policy.h"
#include "http/h1_head.h"
#include "net/listener.h"
#include "net/reactor.h"
#include "net/proxy_receive.h"
#include "net/stream.h"
#include "upstream/client.h"

namespace tidegate::forward {

class Exchange;
class Worker;
struct ListenerRuntime;

class Session final : public Downstream, public net::Retirable, public Link<> {
 public:
  Session(Worker& worker, const ListenerRuntime& listener, net::Listener& socket, const net::Address& peer);
  ~Session() override;

  /// Takes the socket and serves it until it ends.
  void start(int descriptor);
  /// The worker drains: says so where the protocol can say it ahead of the next response.
  void announce_close();
  /// Ends at once when no exchange is in progress, else after it.
  void drain();
  /// Ends when no exchange is in progress; one that is goes on, whatever it has become.
  void close_idle();
  /// The worker ends: whatever is in progress is cut off.
  void abort();

  Worker& worker() noexcept { return worker_; }
  const SessionPolicy& policy() const noexcept { return policy_; }
  const ListenerRuntime& listener() const noexcept { return listener_; }
  /// Responses announce the end of the connection: the worker drains, the listener is no more, or the connection is spent.
  bool is_closing() const noexcept;
  void count_request() noexcept { ++requests_; }
  /// It has carried as many requests, or is as old, as the listener allows.
  bool is_spent() const noexcept;
  const std::string& peer() const noexcept { return peer_; }
  /// Made when it is first asked for, by the access log.
  const std::string& peer_with_port() {
    if (peer_with_port_.empty()) peer_with_port_ = net::text(peer_address_);
    return peer_with_port_;
  }
  /// As the configuration in force says.
  bool peer_trusted() const noexcept;
  /// For clusters that are told who the client is. Made when it is first asked for: few sessions need it.
  upstream::Client& client();
  /// "http" or "https".
  std::string_view scheme() const noexcept { return stream_.is_secure() ? "https" : "http"; }
  /// For x-forwarded-client-cert; empty: the client showed no certificate.
  std::string_view client_certificate() const noexcept { return client_certificate_; }

 private:
  enum class Received : std::uint8_t { Head, Refused, Ended };
  Task<bool> establish();
  Task<bool> take_proxy_header();
  bool admit();
  void refuse(net::ProxyRefusal why, std::string_view reason = {});
  Task<bool> secure();
  Task<> tell_to_use_tls();
  Task<> serve();
  Task<net::IoStatus> await_first_request();
  Task<bool> begins_with_preface();
  Task<bool> serve_one_by_one();
  bool is_owed_nothing() noexcept;
  bool has_unread() noexcept { return !received_.empty() || !stream_.is_quiet(); }
  Task<> take_leave();
  Task<Received> receive_head();
  static void done(void* self);

  Worker& worker_;
  const ListenerRuntime& listener_;
  const SessionPolicy& policy_;  // the listener's: a reload changes it
  net::Listener& socket_;
  net::Stream stream_;
  Buffer received_;
  http::RequestHeadDecoder decoder_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Multiplex> multiplex_;
  Pause pause_;             // at its end, of reading
  std::unique_ptr<upstream::Client> client_;
  net::Address peer_address_;
  std::string peer_;
  std::string peer_with_port_;
  std::string client_certificate_;
  ClientPlace place_;
  mutable bool peer_trusted_ = false;
  static constexpr std::uint64_t kNotJudged = ~std::uint64_t{0};
  mutable std::uint64_t trusted_by_ = kNotJudged;  // the configuration that said so
  bool announced_ = false;                // by a PROXY header
  std::uint64_t requests_ = 0;
  TimePoint spent_at_ = TimePoint::max();
  bool peer_known_ = true;  // false: of a PROXY header whose sender could not name the client
  bool waiting_ = false;  // for the first byte of a request, or for what comes before it
  Task<> root_;
};

}  // namespace tidegate::forward
