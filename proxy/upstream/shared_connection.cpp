#include "upstream/shared_connection.h"

#include <algorithm>
#include <utility>

#include "base/pooled.h"
#include "upstream/pool.h"

namespace tidegate::upstream {

namespace {

h2::Limits limits_of(const ClusterPolicy& policy) {
  h2::Limits limits;
  limits.session.head = http::kResponseHeadLimits;
  limits.idle = policy.pool.idle_timeout;
  limits.write_timeout = policy.timeouts.idle;
  return limits;
}

struct StreamPlace {
  explicit StreamPlace(net::Reactor& reactor) : own_stream(reactor) {}
  h2::Stream own_stream;
};

}  // namespace

class SharedConnection::StreamChannel final : private StreamPlace, public Channel, public net::Retirable, public base::Pooled {
 public:
  StreamChannel(net::Reactor& reactor, SharedConnection& connection)
      : StreamPlace(reactor),
        Channel(own_stream, &own_stream, reactor.blocks()),
        connection_(&connection),
        target_(connection.target()),
        reused_(connection.opened_ > 1) {
    own_stream.prepare(connection.connection_, connection.policy_.scheme());
  }
  ~StreamChannel() override = default;

  /// It may have been closed for having been idle. One that has spoken since it was idle last was not: what it takes with it when it ends is
  /// its server's failure.
  bool is_reused() const noexcept override { return reused_ && connection_->connection_.received_at() <= connection_->busy_since_; }
  std::size_t target() const noexcept override { return target_; }
  void release(bool reusable) override {
    own_stream.close(reusable ? http::H2Error::NoError : http::H2Error::Cancel);
    connection_->closed(*this);
  }

 private:
  SharedConnection* connection_;
  const std::size_t target_;
  const bool reused_;
};

SharedConnection::SharedConnection(net::Reactor& reactor, Pool& pool, const ClusterPolicy& policy,
                                   std::unique_ptr<Connection> established)
    : reactor_(reactor),
      pool_(pool),
      policy_(policy),
      established_(std::move(established)),
      connection_(established_->socket, http::H2Role::Client, limits_of(policy), *this),
      patience_(&SharedConnection::patience_is_over, this) {}

SharedConnection::~SharedConnection() = default;

void SharedConnection::start() {
  if (policy_.timeouts.connect > Duration::zero()) reactor_.arm(patience_, policy_.timeouts.connect);
  root_ = serve();
  root_.start(&SharedConnection::done, this);
  look_for_room();
}

Task<> SharedConnection::serve() { co_await connection_.run(established_->received); }

/// The connection is over; exchanges may still hold streams of it, which read what has arrived.
void SharedConnection::done(void* self) {
  auto* connection = static_cast<SharedConnection*>(self);
  connection->patience_.disarm();
  static_cast<net::TurnEnd*>(connection)->unlink();
  connection->pool_.close_socket(*connection->established_);
  connection->pool_.on_shared_end(*connection);
  if (connection->open_ == 0) connection->reactor_.retire(std::unique_ptr<net::Retirable>(connection));
}

bool SharedConnection::has_room() const noexcept {
  if (is_new()) return open_ == 0;
  const std::uint32_t open = std::max(open_, connection_.session().open_streams());  // one that was let go may still count for the peer
  return !is_closing() && open < connection_.session().peer_streams();
}

Channel& SharedConnection::open() {
  if (++open_ == 1) busy_since_ = reactor_.now();
  ++opened_;
  return *new StreamChannel(reactor_, *this);
}

void SharedConnection::closed(StreamChannel& channel) {
  --open_;
  pool_.on_stream_end(*this, root_.done());
  reactor_.retire(std::unique_ptr<net::Retirable>(&channel));
  if (root_.done()) {
    if (open_ == 0) reactor_.retire(std::unique_ptr<net::Retirable>(this));
    return;
  }
  if (open_ == 0 && is_used_up()) retire();
  look_for_room();
}

void SharedConnection::retire() {
  connection_.goaway();
  look_for_room();
}

/// Some servers never say so: then what the RFC recommends at the least is taken for it.
void SharedConnection::patience_is_over(void* self) { static_cast<SharedConnection*>(self)->look_for_room(); }

/// Whoever waits is resumed when the session is at rest.
void SharedConnection::look_for_room() noexcept {
  if (pool_.has_pending()) reactor_.at_turn_end(*this);
}

void SharedConnection::on_turn_end() {
  for (std::uint32_t left = pool_.pending_count(); left > 0 && pool_.has_pending() && has_room(); --left) pool_.wake_for_stream();
  if (is_new()) return;
  if (!std::exchange(settled_, true)) pool_.await_anything(target());
  const bool is_full = !has_room() && (connection_.session().peer_streams() > 0 || is_closing());  // another is not asked of who allows none
  if (is_full && pool_.has_pending()) pool_.consider_another();
}

}  // namespace tidegate::upstream
