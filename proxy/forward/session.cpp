#include "forward/session.h"

#include <sys/socket.h>

#include <algorithm>

#include "forward/exchange.h"
#include "forward/linger.h"
#include "forward/outcome.h"
#include "forward/worker.h"
#include "net/tls_layer.h"

namespace tidegate::forward {

Session::Session(Worker& worker, const ListenerRuntime& listener, net::Listener& socket, const net::Address& peer)
    : Downstream(*this, stream_, nullptr, received_),
      worker_(worker),
      listener_(listener),
      policy_(listener.policy),
      socket_(socket),
      stream_(worker.reactor),
      received_(worker.reactor.blocks(), BlockSize::Small),
      decoder_(policy_.head),
      peer_address_(peer),
      peer_(net::host_text(peer)) {}

Session::~Session() = default;

namespace {

/// Within a tenth of it: connections that came together do not leave together, and make their next ones at one moment.
Duration jittered(Duration age, Random& random) noexcept {
  const double part = static_cast<double>(random.next() >> 11) * 0x1.0p-53;
  return std::chrono::duration_cast<Duration>(age * (0.9 + 0.2 * part));
}

}  // namespace

void Session::start(int descriptor) {
  if (policy_.max_connection_age > Duration::zero()) {
    spent_at_ = worker_.reactor.now() + jittered(policy_.max_connection_age, worker_.random);
  }
  if (!stream_.adopt(descriptor)) {
    done(this);
    return;
  }
  root_ = serve();
  root_.start(&Session::done, this);
}

void Session::done(void* self) {
  auto* session = static_cast<Session*>(self);
  session->stream_.close();
  session->place_.give_back();
  if (session->client_) session->client_->end();
  session->socket_.on_session_end();
  session->worker_.retire(*session);
}

void Session::announce_close() {
  if (multiplex_) multiplex_->announce_close();
}

void Session::drain() {
  if (multiplex_) return multiplex_->drain();
  if (exchange_) exchange_->leave();
  if (waiting_) stream_.cancel_read();
}

void Session::close_idle() {
  if (multiplex_) return multiplex_->close_idle();
  if (waiting_) stream_.cancel_read();
}

bool Session::peer_trusted() const noexcept {
  const Generation& serving = worker_.serving();
  if (trusted_by_ == serving.setup.number) return peer_trusted_;
  trusted_by_ = serving.setup.number;
  const bool of_another_machine = announced_ && net::is_unix(peer_address_);  // a path there says nothing here
  return peer_trusted_ = peer_known_ && !of_another_machine && serving.is_trusted(peer_address_);
}

bool Session::is_closing() const noexcept { return worker_.draining() || listener_.is_closed || is_spent(); }

bool Session::is_spent() const noexcept {
  const std::uint32_t most = policy_.requests_per_connection;
  return (most != 0 && requests_ >= most) || worker_.reactor.now() >= spent_at_;
}

void Session::abort() {
  if (multiplex_) return multiplex_->abort();
  if (exchange_) exchange_->cut_off();
  stream_.cancel();
  pause_.end();
}

/// Everything that comes before the first request. @return false when the connection is not to be served.
Task<bool> Session::establish() {
  if (policy_.proxy_protocol) {
    const bool taken = co_await take_proxy_header();
    if (!taken) co_return false;
  }
  if (!admit()) co_return false;
  if (policy_.tls == nullptr) co_return true;
  const bool secured = co_await secure();
  co_return secured;
}

/// The header's source is the peer from here on: for X-Forwarded-For, the log, and for whether X-Forwarded-* are believed.
/// A client that the sender cannot name keeps the sender's address, but not its trust.
Task<bool> Session::take_proxy_header() {
  if (!peer_trusted()) {
    refuse(net::ProxyRefusal::Untrusted);
    co_return false;
  }
  waiting_ = true;
  const net::ProxyReceived received = co_await net::receive_proxy_header(stream_, policy_.header_timeout);
  waiting_ = false;
  if (received.refusal != net::ProxyRefusal::None) {
    refuse(received.refusal, received.reason);
    co_return false;
  }
  const net::ProxyHeader& header = received.header;
  if (header.origin == net::ProxyHeader::Origin::Unknown) {
    peer_known_ = false;
    trusted_by_ = kNotJudged;
  }
  if (header.origin != net::ProxyHeader::Origin::Client) co_return true;
  client_ = std::make_unique<upstream::Client>(header.ends);
  peer_address_ = header.ends.source;
  peer_ = net::host_text(peer_address_);
  announced_ = true;
  trusted_by_ = kNotJudged;
  co_return true;
}

/// Who is trusted stands for many clients, and whom nobody can name for any: neither is held to what one may have.
bool Session::admit() {
  if (policy_.clients == nullptr || policy_.clients->most() == 0 || peer_trusted() || !peer_known_) return true;
  const std::optional<ClientId> client = client_id(peer_address_);
  if (!client || place_.take(*policy_.clients, *client)) return true;
  worker_.on_client_refusal(net::text(peer_address_), policy_.clients->most());
  return false;
}

void Session::refuse(net::ProxyRefusal why, std::string_view reason) {
  if (why != net::ProxyRefusal::Ended) worker_.on_proxy_refusal(why, net::text(peer_address_), reason);
}

upstream::Client& Session::client() {
  if (client_) return *client_;
  net::ProxyEnds ends{peer_address_, {}};
  ends.destination.length = sizeof ends.destination.storage;
  ::getsockname(stream_.descriptor(), ends.destination.get(), &ends.destination.length);
  client_ = std::make_unique<upstream::Client>(ends);
  return *client_;
}

Task<> Session::serve() {
  const bool established = co_await establish();
  if (!established) co_return;
  bool many = stream_.is_secure() && stream_.tls()->protocol() == "h2";
  if (policy_.h2c && !stream_.is_secure()) {
    const net::IoStatus spoke = co_await await_first_request();
    if (spoke != net::IoStatus::Ok) co_return;
    many = co_await begins_with_preface();
  }
  bool in_stages = true;
  if (many) {
    multiplex_ = std::make_unique<Multiplex>(worker_, *this, stream_);
    co_await multiplex_->serve(received_);
    worker_.reactor.retire(std::move(multiplex_));  // what resumed this may still be on the stack
  } else {
    in_stages = co_await serve_one_by_one();
  }
  if (in_stages) co_await take_leave();
}

Task<net::IoStatus> Session::await_first_request() {
  waiting_ = true;
  const net::IoResult ready = co_await stream_.readable(policy_.idle_timeout);
  waiting_ = false;
  co_return ready.status;
}

/// RFC 9113 §3.4, by prior knowledge: no HTTP/1.1 request begins like this.
Task<bool> Session::begins_with_preface() {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const TimePoint deadline = worker_.reactor.now() + policy_.header_timeout;
  for (;;) {
    const Duration left = std::max(deadline - worker_.reactor.now(), net::TimerWheel::kTick);
    const net::IoResult result = co_await stream_.read(received_, left);
    const std::string_view begin = received_.view().substr(0, kPreface.size());
    if (result.status != net::IoStatus::Ok || begin != kPreface.substr(0, begin.size())) co_return false;
    if (begin.size() == kPreface.size()) co_return true;
  }
}

/// @return whether the connection has to be closed in stages.
Task<bool> Session::serve_one_by_one() {
  for (;;) {
    const Received received = co_await receive_head();
    if (received == Received::Ended) co_return !is_owed_nothing();
    if (received == Received::Refused) {
      co_await exchange_->refuse(decoder_.refusal());
    } else {
      count_request();
      exchange_->begin(decoder_.consumed());
      co_await exchange_->run();
    }
    const bool survives = exchange_->connection_survives();
    const bool must_reset = exchange_->must_reset();
    const bool is_there = exchange_->client_is_there();
    const bool is_done = exchange_->client_is_done();
    worker_.give_exchange(std::move(exchange_));
    if (survives) continue;
    if (must_reset) stream_.abort();
    if (must_reset || !is_there) co_return false;
    co_return !is_done || has_unread() || !stream_.say_goodbye();
  }
}

/// Nothing that it could still send destroys an answer: it has left, or everything has arrived there.
bool Session::is_owed_nothing() noexcept { return stream_.has_read_end() || (!has_unread() && stream_.unsent() == 0); }

/// RFC 9112 §9.6. A client that says nothing more, or said that it would not, does not come here: the kernel does it as well.
Task<> Session::take_leave() {
  if (stream_.canceled() || stream_.has_read_end()) co_return;
  stream_.shutdown_send();
  const Taken taken = co_await await_taken(stream_, received_, policy_, pause_);
  if (taken == Taken::All) co_await linger(stream_, received_);
  if (taken != Taken::TooSlowly) co_return;
  worker_.counters.slow_responses.add();
  stream_.abort();
}

/// Waits for a request and reads its head into the exchange. Refused: also when the head took too long.
Task<Session::Received> Session::receive_head() {
  decoder_.reset();
  if (received_.empty()) {
    received_.release();
    if (worker_.closing_idle()) co_return Received::Ended;
    waiting_ = true;
    const Duration idle = listener_.is_closed ? std::min<Duration>(Worker::kIdleGrace, policy_.idle_timeout) : policy_.idle_timeout;
    const net::IoResult ready = co_await stream_.readable(idle);
    waiting_ = false;
    if (ready.status != net::IoStatus::Ok) co_return Received::Ended;
  }
  const TimePoint deadline = worker_.reactor.now() + policy_.header_timeout;
  decoder_.set_limits(policy_.head);  // a reload may have changed them while it waited
  exchange_ = worker_.take_exchange();
  exchange_->attach(*this);
  bool read_anything = !received_.empty();
  for (;;) {
    if (!received_.empty()) {
      const http::HeadState state = decoder_.feed(received_.view(), exchange_->request());
      if (state == http::HeadState::Done) co_return Received::Head;
      if (state == http::HeadState::Refused) co_return Received::Refused;
    }
    if (read_anything && worker_.is_short_of_memory()) {
      worker_.counters.shed.add();
      decoder_.give_up(503, kShortOfMemory);
      co_return Received::Refused;
    }
    Duration left = deadline - worker_.reactor.now();
    if (left <= Duration::zero()) left = net::TimerWheel::kTick;
    const net::IoResult result = co_await stream_.read(received_, left);
    if (result.status == net::IoStatus::Ok) {
      read_anything = true;
      continue;
    }
    if (result.status == net::IoStatus::TimedOut && read_anything) {
      decoder_.time_out();
      co_return Received::Refused;
    }
    worker_.give_exchange(std::move(exchange_));
    co_return Received::Ended;
  }
}

}  // namespace tidegate::forward
