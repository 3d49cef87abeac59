#include "upstream/pool.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/local_shortage.h"
#include "net/tls_layer.h"
#include "upstream/choice.h"
#include "upstream/making.h"
#include "upstream/resolution.h"
#include "upstream/slow_start.h"

namespace tidegate::upstream {

namespace {
constexpr Duration kLook = std::chrono::milliseconds(20);
constexpr Duration kAvoidance = std::chrono::seconds(10);  // as NGINX's max_fails=1 fail_timeout=10s, its defaults
}

// --- Acquisition, Connection

void Acquisition::cancel(Failure why) noexcept {
  canceled_ = true;
  is_late_ = why == Failure::Timeout;
  if (connecting_ != nullptr) {
    connecting_->socket.cancel();
  } else if (waiting_) {
    unlink();
    std::exchange(waiting_, {}).resume();
  }
}

void Connection::leave_pool(void* self) {
  auto* connection = static_cast<Connection*>(self);
  connection->pool_.remove_idle(*connection);
}

void Client::end() {
  while (Place* place = idle_.front()) place->connection->pool_.remove_idle(*place->connection);
}
void Connection::release(bool reusable) { pool_.release(*this, reusable); }

// --- Pool

/// EAGAIN is the side's: a unix-domain socket whose backlog is full. ENOSPC is epoll's own limit.
Failure failure_of_connect(int error_number) noexcept {
  return is_local_shortage(error_number) ? Failure::Overflow : Failure::Connect;
}

Pool::Pool(net::Reactor& reactor, const ClusterPolicy& policy, PoolShare share, PoolEvents& events)
    : reactor_(reactor),
      policy_(policy),
      share_(share),
      events_(events),
      readmission_(&Pool::readmit, this),
      expects_many_(policy.protocol == Protocol::Http2 && policy.may_carry_many()),
      look_(&Pool::look_at_queue, this) {}

Pool::~Pool() { close_idle(); }  // and what is being made for nobody: who waits is gone by now

const EndpointAddress& Pool::endpoint(const Channel& channel) const noexcept {
  return policy_.endpoints[targets_[channel.target()]->endpoint];
}

const std::string& Pool::endpoint_text(const Channel& channel) const noexcept { return endpoint(channel).text; }

void Pool::set_addresses(std::size_t endpoint, const std::vector<net::Address>& addresses) {
  std::vector<Target*> now;
  for (const net::Address& address : addresses) {
    if (now.size() == kMostAddresses) break;
    now.push_back(&place_for(endpoint, address));
  }
  for (auto& target : targets_) {
    if (target->endpoint == endpoint) target->current = false;
  }
  for (Target* target : now) target->current = true;
  if (!known_.empty() && has_every_endpoint()) known_.clear();  // of addresses that are gone: whoever comes back later is new
  for (auto& target : targets_) {
    if (!target->current) close_idle_to(*target);
  }
  choose_among();
}

void Pool::close_idle_to(Target& target) {
  while (Connection* connection = target.idle.front()) remove_idle(*connection);
  target.shared.for_each([](SharedConnection& connection) { connection.retire(); });
}

Pool::Target* Pool::find(std::size_t endpoint, const net::Address& address) noexcept {
  for (auto& target : targets_) {
    if (target->current && target->endpoint == endpoint && target->address == address) return target.get();
  }
  return nullptr;
}

// --- who takes requests

/// Those that are well. When too few are, all: the load of all would only bring those few down as well (Envoy's panic threshold).
void Pool::choose_among() {
  std::size_t all = 0;
  std::size_t well = 0;
  for (auto& target : targets_) {
    target->serves = target->current && target->healthy && target->ejected_until == TimePoint{};
    all += target->current ? 1 : 0;
    well += target->serves ? 1 : 0;
  }
  usable_ = well > 0;
  const bool enough = usable_ && static_cast<double>(well) >= policy_.panic_threshold * static_cast<double>(all);
  current_.clear();
  for (auto& target : targets_) {
    if (!enough) target->serves = target->current;
    if (target->serves) current_.push_back(target.get());
  }
}

void Pool::set_health(std::size_t endpoint, const net::Address& address, bool healthy) {
  Target* const target = find(endpoint, address);
  if (target == nullptr || target->healthy == healthy) return;
  target->healthy = healthy;
  if (healthy) {
    target->errors = target->breaks = 0;
    target->fails = false;
    if (policy_.slow_start > Duration::zero()) target->appeared = reactor_.now();
  } else {
    close_idle_to(*target);
  }
  choose_among();
}

void Pool::note_outcome(Target& target, Outcome outcome) {
  switch (outcome) {
    case Outcome::Answered: target.errors = 0; break;
    case Outcome::Whole: target.breaks = 0; break;
    case Outcome::Failed: ++target.errors; break;
    case Outcome::Broken: ++target.breaks; break;
  }
  const std::uint32_t most = std::max(target.errors, target.breaks);
  if (most == 0 && target.ejected_until == TimePoint{}) target.ejections = 0;
  if (most < policy_.outlier->consecutive_errors || target.ejected_until != TimePoint{}) return;
  constexpr std::uint32_t kLongest = 10;
  const Duration length = policy_.outlier->ejection * std::min(target.ejections + 1, kLongest);
  if (eject(target, length)) events_.on_ejected(target.endpoint, target.address, length);
}

void Pool::eject(std::size_t endpoint, const net::Address& address, Duration length) {
  Target* const target = find(endpoint, address);
  if (target != nullptr && target->ejected_until == TimePoint{}) eject(*target, length);
}

/// @return false: as many as may be are ejected.
bool Pool::eject(Target& target, Duration length) {
  std::size_t all = 0;
  std::size_t ejected = 1;
  for (const auto& one : targets_) {
    if (!one->current) continue;
    ++all;
    if (one->ejected_until != TimePoint{}) ++ejected;
  }
  target.errors = target.breaks = 0;
  if (static_cast<double>(ejected) > policy_.outlier->max_ejected * static_cast<double>(all)) return false;
  target.ejected_until = reactor_.now() + length;
  ++target.ejections;
  close_idle_to(target);
  choose_among();
  readmit_at(target.ejected_until);
  return true;
}

/// Who is left out for a shorter time comes back before who was left out first.
void Pool::readmit_at(TimePoint when) {
  if (readmission_.armed() && readmission_at_ <= when) return;
  readmission_at_ = when;
  reactor_.arm(readmission_, std::max<Duration>(when - reactor_.now(), net::TimerWheel::kTick));
}

/// Those whose time is over are asked again; one that goes on to fail is out for longer.
void Pool::readmit(void* self) {
  auto* pool = static_cast<Pool*>(self);
  const TimePoint now = pool->reactor_.now();
  TimePoint next = TimePoint::max();
  for (auto& target : pool->targets_) {
    if (target->ejected_until == TimePoint{}) continue;
    if (target->ejected_until > now) {
      next = std::min(next, target->ejected_until);
      continue;
    }
    target->ejected_until = {};
    target->errors = target->breaks = 0;  // of what was under way when it was left out
    if (pool->policy_.slow_start > Duration::zero()) target->appeared = now;
  }
  if (next != TimePoint::max()) pool->readmit_at(next);
  pool->choose_among();
}

/// The one that the address has, or one that nothing is left of, or a new one. It counts as appearing now unless it has been there.
Pool::Target& Pool::place_for(std::size_t endpoint, const net::Address& address) {
  Target* place = nullptr;
  for (auto& target : targets_) {
    if (target->endpoint == endpoint && target->address == address) {
      place = target.get();
      break;
    }
    if (place == nullptr && target->is_left()) place = target.get();
  }
  if (place == nullptr) {
    place = targets_.emplace_back(std::make_unique<Target>()).get();
    place->current = false;
  }
  if (place->current) return *place;
  if (place->endpoint != endpoint || place->address != address) place->session.put(nullptr);
  place->endpoint = endpoint;
  place->address = address;
  place->current = place->healthy = true;
  place->errors = place->breaks = place->ejections = 0;
  place->ejected_until = {};
  place->fails = false;
  place->appeared = was_used_ && policy_.slow_start > Duration::zero() ? reactor_.now() : TimePoint{};
  apply_known(*place);
  return *place;
}

void Pool::take_over_health(const Pool& before) {
  for (const auto& target : before.targets_) {
    if (target->current) {
      know({target->address, target->healthy, target->fails, target->retry_at, target->ejected_until, target->ejections});
    }
  }
  was_used_ = was_used_ || before.was_used_;
}

/// Once: what is found out from then on is newer. What was judged by something that this pool does not have (any more) is forgotten.
void Pool::apply_known(Target& target) {
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& one) { return one.address == target.address; });
  if (found == known_.end()) return;
  const Known known = *found;
  known_.erase(found);
  target.appeared = {};
  target.fails = known.fails;
  target.retry_at = known.retry_at;
  if (policy_.health) target.healthy = known.healthy;
  if (!policy_.outlier || known.ejected_until <= reactor_.now()) return;
  target.ejected_until = known.ejected_until;
  target.ejections = known.ejections;
  readmit_at(known.ejected_until);
}

bool Pool::has_every_endpoint() const {
  std::vector<bool> has(policy_.endpoints.size());
  for (const auto& target : targets_) {
    if (target->current && target->endpoint < has.size()) has[target->endpoint] = true;
  }
  return std::all_of(has.begin(), has.end(), [](bool one) { return one; });
}

std::vector<net::Address> Pool::unhealthy() const {
  std::vector<net::Address> out;
  for (const auto& target : targets_) {
    if (target->current && !target->healthy) out.push_back(target->address);
  }
  return out;
}

Pool::Target* Pool::choose(std::size_t avoid) {
  if (current_.size() < 2) return current_.empty() ? nullptr : current_.front();
  const auto candidate = [this](const Target& target) {
    if (target.appeared == TimePoint{}) return Candidate{target.load};
    return Candidate{target.load, share_of(reactor_.now() - target.appeared, policy_.slow_start)};
  };
  const std::uint64_t chance = random_.next();
  const auto [first, second] = draw_two(current_.size(), chance);
  const bool other = prefers_second(candidate(*current_[first]), candidate(*current_[second]), chance & 0xffff);
  Target* chosen = current_[other ? second : first];
  if (avoid < targets_.size() && chosen == targets_[avoid].get()) chosen = current_[other ? first : second];
  return chosen->fails ? instead_of(*chosen, chance) : chosen;
}

/// Any that can be connected to, as far as is known; if there is none, the one that was chosen.
Pool::Target* Pool::instead_of(Target& avoided, std::uint64_t chance) {
  const TimePoint now = reactor_.now();
  for (std::size_t i = 0; i < current_.size() && avoided.is_avoided(now); ++i) {
    Target* const other = current_[(chance + i) % current_.size()];
    if (!other->is_avoided(now)) return other;
  }
  return &avoided;
}

Lease Pool::lend(Connection& connection) {
  ++connection.exchanges_;
  ++targets_[connection.target_]->load;
  events_.on_connections(1, 0);
  return Lease(connection);
}

/// Out of the idle ones.
Lease Pool::take(Connection& connection) {
  connection.unlink();
  connection.of_client_.unlink();
  connection.idle_timer_.disarm();
  connection.socket.on_unexpected(nullptr, nullptr);
  --idle_;
  events_.on_connections(0, -1);
  return lend(connection);
}

/// A client has few, of every cluster together. One to a target that takes no requests (any more) is closed.
Lease Pool::take_idle_of(Client& client, Reuse reuse) {
  Connection* found = nullptr;
  client.idle_.for_each([&](Client::Place& place) {
    if (&place.connection->pool_ == this && found == nullptr) found = place.connection;
  });
  if (found == nullptr) return {};
  const bool serves = targets_[found->target_]->serves;
  if (serves && (reuse != Reuse::Certain || found->socket.is_silent())) return take(*found);
  remove_idle(*found);
  return take_idle_of(client, reuse);
}

Lease Pool::take_idle(Reuse reuse, Client* client, Carrying carrying, std::size_t avoid) {
  const bool streams = streams_for(carrying);
  drawn_ = nullptr;
  if ((idle_ == 0 || reuse == Reuse::Never) && !streams) return {};
  if (is_announced(client)) return reuse != Reuse::Never ? take_idle_of(*client, reuse) : Lease();
  Target* const target = choose(avoid);
  Lease found = target != nullptr ? take_from(*target, reuse, streams) : Lease();
  if (!found) drawn_ = target;
  return found;
}

Lease Pool::take_from(Target& target, Reuse reuse, bool streams) {
  Lease found = streams ? take_stream(target) : Lease();
  if (!found && reuse != Reuse::Never) found = take_exclusive(target, reuse);
  return found;
}

/// Better another target than the one that was chosen than to wait, or to close a connection to make room for another.
Lease Pool::take_any(Reuse reuse, Carrying carrying) {
  const bool streams = streams_for(carrying);
  for (Target* target : current_) {
    if (Lease found = take_from(*target, reuse, streams)) return found;
  }
  return {};
}

Lease Pool::take_exclusive(Target& target, Reuse reuse) {
  while (Connection* connection = target.idle.front()) {
    if (reuse != Reuse::Certain || connection->socket.is_silent()) return take(*connection);
    remove_idle(*connection);
  }
  return {};
}

Lease Pool::take_stream(Target& target) {
  SharedConnection* found = nullptr;
  target.shared.for_each([&](SharedConnection& connection) {
    if (connection.has_room() && (found == nullptr || connection.streams() < found->streams())) found = &connection;
  });
  if (found == nullptr) return {};
  if (found->streams() == 0) events_.on_connections(1, -1);
  ++target.load;
  return Lease(found->open());
}

/// A connection that carries many serves whoever waits as well. @return a stream for whom it was made, if it `is_wanted` and has not
/// ended as soon as it was made
Lease Pool::share(std::unique_ptr<Connection> established, bool is_wanted) {
  Target& target = *targets_[established->target()];
  auto* shared = new SharedConnection(reactor_, *this, policy_, std::move(established));
  target.shared.push_back(*shared);
  ++shared_;
  expects_many_ = true;
  events_.on_connections(0, 1);
  shared->start();
  wake_those_of_one();
  Lease first = is_wanted ? take_stream(target) : Lease();
  if ((first || !is_wanted) && !target.serves) shared->retire();  // its address went while it was made, or was left out
  return first;
}

/// With TLS it is what both sides agreed on; who wants HTTP/2 alone offers nothing else.
bool Pool::carries_many(const Connection& connection) const noexcept {
  const net::TlsLayer* const tls = connection.socket.tls();
  return policy_.may_carry_many() && (policy_.protocol == Protocol::Http2 || (tls != nullptr && tls->protocol() == "h2"));
}

/// @param is_over the connection ended before: it is in no count any more
void Pool::on_stream_end(SharedConnection& connection, bool is_over) {
  --targets_[connection.target()]->load;
  if (connection.streams() > 0) return;
  if (!is_over) events_.on_connections(-1, 1);
  wake_those_of_one();  // one that nobody uses is given up for them
}

/// Those who wait for a connection of their own look again for what there is, or learn that there will be none.
void Pool::wake_those_of_one() noexcept {
  pending_one_.for_each([this](const Acquisition&) { wake_next(); });
}

/// A connection to it is closed or was not made.
void Pool::gone(std::size_t target) noexcept {
  --total_;
  --targets_[target]->connections;
}

void Pool::on_shared_end(SharedConnection& connection) {
  static_cast<Link<>&>(connection).unlink();
  --shared_;
  gone(connection.target());
  if (connection.streams() > 0) {
    events_.on_connections(-1, 0);
  } else {
    events_.on_connections(0, -1);
  }
  wake_next();
}

Task<Acquired> Pool::acquire(Acquisition& acquisition, Reuse reuse, Client* client, Carrying carrying, std::size_t avoid) {
  acquisition.begin();
  Acquired out;
  Target* target = nullptr;
  std::unique_ptr<Connection> connection;
  for (;;) {
    target = drawn_ != nullptr ? std::exchange(drawn_, nullptr) : choose(avoid);
    if (target == nullptr) {  // a name that never resolved
      acquisition.dispatch();
      out.failure = Failure::Connect;
      out.error_number = EHOSTUNREACH;
      co_return std::move(out);
    }
    const bool announced = is_announced(client);
    if (announced) {
      if (reuse != Reuse::Never) out.lease = take_idle_of(*client, reuse);
    } else {
      out.lease = take_from(*target, reuse, streams_for(carrying));
    }
    const bool for_all = carrying == Carrying::Any && expects_many_;
    const bool shares = for_all && will_be_shared(*target) && pending_count_ < share_.pending;
    const bool below = is_below_bound();
    bool makes = !out.lease && !shares && below;
    if (!makes && !out.lease && !announced) out.lease = take_any(reuse, carrying);
    if (out.lease) {
      acquisition.dispatch();
      co_return std::move(out);
    }
    makes = makes || (!shares && make_room(carrying));
    if (makes) {
      connection = begin_connection(*target, client);
      out.endpoint = endpoint_text(*connection);
      const bool begun = connection->socket.descriptor() >= 0;
      const bool leaves = begun || failure_of_connect(connection->socket.error_number()) == Failure::Connect;
      if (leaves) begun && for_all ? acquisition.set_out() : acquisition.dispatch();
      if (!begun || !for_all) break;
      acquisition.making_ = &make_for_all(*target, std::move(connection));
    } else {
      const bool hopeless = carrying == Carrying::One && shared_ > 0 && shared_ >= total_;  // streams, which are nothing to it, have all
      if (hopeless || pending_count_ >= share_.pending) {
        out.failure = Failure::Overflow;
        co_return std::move(out);
      }
      acquisition.making_ = shares ? target->making : nullptr;
      if (shares) acquisition.set_out();
    }
    acquisition.awaited_ = acquisition.making_ != nullptr || shares ? target : nullptr;
    struct Wait {
      Pool& pool;
      Acquisition& by;
      List<Acquisition>& among;
      std::uint32_t places;  // in the queue: who waits for what it began itself takes none
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) noexcept {
        by.waiting_ = handle;
        among.push_back(by);
        pool.pending_count_ += places;
        if (places > 0 && !pool.look_.armed()) pool.reactor_.arm(pool.look_, kLook);
        if (by.making_ != nullptr) ++by.making_->waiters;
      }
      void await_resume() const noexcept {
        pool.pending_count_ -= places;
        if (by.making_ != nullptr) --by.making_->waiters;
      }
    };
    Wait wait{*this, acquisition, carrying == Carrying::One && policy_.may_carry_many() ? pending_one_ : pending_, makes ? 0u : 1u};
    co_await wait;
    if (acquisition.given_) {
      acquisition.dispatch();
      out.lease = std::move(acquisition.given_);
      co_return std::move(out);
    }
    if (acquisition.canceled_) {
      leave(acquisition);
      if (acquisition.awaited_ != nullptr) acquisition.dispatch();
      out.was_queued = acquisition.is_on_way_ && !acquisition.is_dispatched_;
      out.failure = Failure::Canceled;
      co_return std::move(out);
    }
    if (acquisition.failure_ != Failure::None) {
      acquisition.dispatch();
      out.failure = acquisition.failure_;
      out.error_number = acquisition.error_number_;
      co_return std::move(out);
    }
    if (!acquisition.may_leave()) {
      wake_next();  // what was free for it is for the next
      out.failure = Failure::Canceled;
      co_return std::move(out);
    }
  }
  acquisition.connecting_ = connection.get();
  ++target->load;
  net::IoStatus status = net::IoStatus::Reset;
  if (connection->socket.descriptor() >= 0) status = co_await establish(*connection, carrying);
  --target->load;
  acquisition.connecting_ = nullptr;
  if (status == net::IoStatus::Ok) {
    target->fails = false;
    if (!carries_many(*connection)) {
      out.lease = lend(*connection.release());
      if (carrying == Carrying::Any && std::exchange(expects_many_, false)) end_wait(Failure::None, nullptr);
      co_return std::move(out);
    }
    out.lease = share(std::move(connection), true);
    if (!out.lease) out.failure = Failure::Reset;  // it ended as soon as it was made
    co_return std::move(out);
  }
  out.error_number = status == net::IoStatus::TimedOut ? 0 : connection->socket.error_number();
  out.failure = not_made(std::move(connection), status, acquisition.is_late_);
  wake_next();
  co_return std::move(out);
}

/// Its connect has begun, or has failed already.
std::unique_ptr<Connection> Pool::begin_connection(Target& target, Client* client) {
  std::size_t at = 0;
  while (targets_[at].get() != &target) ++at;
  auto connection = std::make_unique<Connection>(reactor_, *this, at, policy_.proxy_protocol ? client : nullptr);
  ++total_;
  ++target.connections;
  was_used_ = true;
  events_.on_connect();
  (void)connection->socket.begin_connect(target.address);
  return connection;
}

/// @param late somebody's time was over, which ended it
/// @return what that means for whoever wanted it
Failure Pool::not_made(std::unique_ptr<Connection> connection, net::IoStatus status, bool late) {
  const std::size_t at = connection->target();
  const int error_number = status == net::IoStatus::TimedOut ? 0 : connection->socket.error_number();
  const Failure why = status == net::IoStatus::Canceled ? Failure::Canceled : failure_of_connect(error_number);
  connection->socket.close();
  reactor_.retire(std::move(connection));
  gone(at);
  if (why == Failure::Connect || (why == Failure::Canceled && late)) note_unreachable(*targets_[at]);
  return why;
}

/// Others are asked for a while, where there are any.
void Pool::note_unreachable(Target& target) {
  target.fails = true;
  target.retry_at = reactor_.now() + kAvoidance;
  if (policy_.outlier) note_outcome(target, Outcome::Failed);
}

// --- a connection for all who wait for it

Making& Pool::make_for_all(Target& target, std::unique_ptr<Connection> begun) {
  auto* making = new Making(reactor_, *this, std::move(begun));
  makings_.push_back(*making);
  target.making = making;
  ++target.load;
  making->start();
  return *making;
}

void Pool::made(Making& making, net::IoStatus status) {
  Target& target = *targets_[making.connection->target()];
  static_cast<Link<>&>(making).unlink();
  if (target.making == &making) target.making = nullptr;
  --target.load;
  reactor_.retire(std::unique_ptr<net::Retirable>(&making));
  hand_out(making, status);
}

/// The first who waits gets it, or what there is to get of one that many share; a failure is everybody's.
void Pool::hand_out(Making& making, net::IoStatus status) {
  Target& target = *targets_[making.connection->target()];
  Acquisition* const first = waiter_for(making);
  if (status != net::IoStatus::Ok) {
    const int error_number = status == net::IoStatus::TimedOut ? 0 : making.connection->socket.error_number();
    const Failure why = not_made(std::move(making.connection), status, false);
    if (why != Failure::Canceled) end_wait(why, &target, error_number);
    if (may_connect() || !pending_one_.empty()) wake_next();
    return;
  }
  target.fails = false;
  const bool many = carries_many(*making.connection);
  Lease lease = many ? share(std::move(making.connection), first != nullptr) : lend(*making.connection.release());
  if (first != nullptr) {
    first->unlink();
    if (!lease && std::exchange(first->renewed_, true)) first->failure_ = Failure::Reset;  // once more, and not for ever
    first->given_ = std::move(lease);
    std::exchange(first->waiting_, {}).resume();
  } else {
    lease.give_back();
  }
  if (!many && std::exchange(expects_many_, false)) end_wait(Failure::None, nullptr);
}

/// The first of those who wait for it; nullptr: all of them have left. From here on none of them looks at what is no more.
Acquisition* Pool::waiter_for(Making& making) {
  Acquisition* first = nullptr;
  pending_.for_each([&](Acquisition& one) {
    if (one.making_ != &making) return;
    one.making_ = nullptr;
    if (first == nullptr) first = &one;
  });
  return first;
}

/// It waits no more. Whose time is over has found out that the address does not answer; others may wait for it a while longer.
void Pool::leave(Acquisition& acquisition) {
  Making* const making = std::exchange(acquisition.making_, nullptr);
  if (making == nullptr) return;
  if (acquisition.is_late_ && !std::exchange(making->late, true)) note_unreachable(*targets_[making->connection->target()]);
  if (making->waiters == 0) making->cancel();
}

// --- what comes before the first request

/// Everything that comes after the connect was begun, within `timeouts.connect` all together. What fails for want of something
/// here was never on its way to the side: the gate must not count it, neither as a failure nor as a success.
Task<net::IoStatus> Pool::establish(Connection& connection, Carrying carrying) {
  const TimePoint deadline = reactor_.now() + policy_.timeouts.connect;
  const net::IoStatus connected = co_await connection.socket.connected(policy_.timeouts.connect);
  if (connected != net::IoStatus::Ok) co_return connected;
  if (policy_.proxy_protocol) {
    const net::IoStatus announced = co_await announce(connection);
    if (announced != net::IoStatus::Ok) co_return announced;
  }
  if (tls_ == nullptr) co_return connected;
  const net::IoStatus secured = co_await secure(connection, *targets_[connection.target()], deadline, carrying);
  co_return secured;
}

Task<net::IoStatus> Pool::announce(Connection& connection) {
  const Client* const client = connection.client_;
  const std::string header =
      net::encode_proxy_header(*policy_.proxy_protocol, client != nullptr ? &client->ends() : nullptr);
  const iovec part{const_cast<char*>(header.data()), header.size()};
  const net::IoResult sent = co_await connection.socket.send({&part, 1}, policy_.timeouts.connect);
  co_return sent.status;
}

/// Nothing of the endpoint's is read before the handshake is done.
Task<net::IoStatus> Pool::secure(Connection& connection, Target& target, TimePoint deadline, Carrying carrying) {
  const std::string& host = policy_.endpoints[target.endpoint].host;
  std::unique_ptr<net::TlsLayer> layer = net::TlsLayer::connect(reactor_.blocks(), tls_, host, &target.session);
  if (layer == nullptr) co_return net::IoStatus::Reset;
  if (carrying == Carrying::One) layer->offer_only("http/1.1");
  connection.socket.secure_with(std::move(layer));
  const Duration left = std::max<Duration>(deadline - reactor_.now(), net::TimerWheel::kTick);
  const net::IoStatus status = co_await connection.socket.handshake(left);
  events_.on_tls(endpoint_text(connection), *connection.socket.tls());
  co_return status;
}

void Pool::set_tls(std::shared_ptr<const net::TlsClientContext> context) {
  tls_ = std::move(context);
  for (auto& target : targets_) close_idle_to(*target);
}

void Pool::release(Connection& connection, bool reusable) {
  events_.on_connections(-1, 0);
  Target& target = *targets_[connection.target_];
  --target.load;
  const bool used_up = policy_.pool.requests_per_connection != 0 && connection.exchanges_ >= policy_.pool.requests_per_connection;
  if (!reusable || used_up || !target.serves || !connection.socket.is_quiet() || !connection.received.empty()) {
    close(connection);
    wake_next();
    return;
  }
  connection.received.release();
  target.idle.push_front(connection);
  if (connection.client_ != nullptr) connection.client_->idle_.push_front(connection.of_client_);
  ++idle_;
  events_.on_connections(0, 1);
  connection.socket.on_hangup(nullptr, nullptr);
  connection.socket.on_unexpected(&Connection::leave_pool, &connection);
  if (policy_.pool.idle_timeout > Duration::zero()) reactor_.arm(connection.idle_timer_, policy_.pool.idle_timeout);
  wake_next();
}

void Pool::close(Connection& connection) {
  connection.unlink();
  connection.of_client_.unlink();
  close_socket(connection);
  connection.received.release();
  connection.idle_timer_.disarm();
  gone(connection.target_);
  reactor_.retire(std::unique_ptr<net::Retirable>(&connection));
}

/// A peer may say only after the handshake that it does not like the certificate that it was shown.
void Pool::close_socket(Connection& connection) {
  const net::TlsLayer* const tls = connection.socket.tls();
  if (tls != nullptr && !tls->failure().empty()) events_.on_tls_alert(endpoint_text(connection), *tls);
  connection.socket.close();
}

void Pool::remove_idle(Connection& connection) {
  --idle_;
  events_.on_connections(0, -1);
  close(connection);
}

/// An idle connection to a target whose turn it is not keeps nobody waiting: the one longest unused makes room.
bool Pool::make_room(Carrying carrying) {
  for (auto& target : targets_) {
    if (Connection* oldest = target->idle.back()) {
      remove_idle(*oldest);
      return true;
    }
  }
  if (carrying != Carrying::One) return false;
  SharedConnection* unused = nullptr;
  for (auto& target : targets_) {
    target->shared.for_each([&](SharedConnection& connection) {
      if (connection.streams() == 0) unused = &connection;
    });
  }
  if (unused == nullptr) return false;
  unused->cut_off();
  return true;
}

/// Connections that end with their last stream keep nobody from making another.
std::uint32_t Pool::closing() noexcept {
  std::uint32_t found = 0;
  for (auto& target : targets_) {
    target->shared.for_each([&](SharedConnection& connection) { found += connection.is_closing() ? 1 : 0; });
  }
  return std::min(found, share_.connections);  // whoever ends them all soon, or uses them up, gets no more than twice the bound
}

/// A connection may be made or was given back. Whoever waits is resumed at the turn's end: it may end itself and others, which whoever
/// gives a connection back need not expect.
void Pool::wake_next() noexcept {
  if (pending_.empty() && pending_one_.empty()) return;
  ++wakes_;
  reactor_.at_turn_end(*this);
}

void Pool::on_turn_end() {
  for (std::uint32_t left = std::exchange(wakes_, 0); left > 0; --left) {
    Acquisition* waiter = pending_one_.pop_front();
    if (waiter == nullptr) waiter = pending_.pop_front();
    if (waiter == nullptr) return;
    std::exchange(waiter->waiting_, {}).resume();
  }
}

void Pool::wake_for_stream() {
  if (Acquisition* waiter = pending_.pop_front()) std::exchange(waiter->waiting_, {}).resume();
}

/// What will end by itself makes room.
bool Pool::is_below_bound() noexcept { return total_ < share_.connections || total_ - closing() < share_.connections; }

/// Who waits is not kept by connections without room while another one may be made. One is enough: whoever makes it wakes the others.
void Pool::consider_another() {
  if (is_below_bound() && makings_.empty() && may_connect()) wake_next();
}

/// Otherwise those who wait for a connection that lives had better go on waiting than fail, one after the other.
bool Pool::may_connect() const noexcept {
  const TimePoint now = reactor_.now();
  return total_ == 0 || std::any_of(current_.begin(), current_.end(), [now](const Target* one) { return !one->fails || now >= one->retry_at; });
}

/// What was new has its places: who got none waits for whatever comes, not for that connection.
void Pool::await_anything(std::size_t target) noexcept {
  pending_.for_each([&](Acquisition& one) {
    if (one.making_ == nullptr && one.awaited_ == targets_[target].get()) one.awaited_ = nullptr;
  });
}

/// A connection to it is being made, or has been and waits for what the server allows.
bool Pool::will_be_shared(Target& target) noexcept {
  bool found = target.making != nullptr;
  target.shared.for_each([&](SharedConnection& connection) { found = found || connection.is_new(); });
  return found;
}

/// Those who wait for a connection that many share share its failure, too: one after the other they would wait for ever.
/// Those who wait for one to another target do not. Without a failure it has turned out that it carries one: each looks for a
/// connection of its own. @param of nullptr: all of them.
void Pool::end_wait(Failure why, const Target* of, int error_number) {
  List<Acquisition> waiting, others;
  const bool is_last = total_ == 0;  // who waits for just anything waits in vain
  while (Acquisition* waiter = pending_.pop_front()) {
    const bool is_of_it = of == nullptr || waiter->awaited_ == of || (waiter->awaited_ == nullptr && is_last);
    (is_of_it ? waiting : others).push_back(*waiter);
  }
  while (Acquisition* waiter = others.pop_front()) pending_.push_back(*waiter);
  while (Acquisition* waiter = waiting.pop_front()) {
    waiter->failure_ = why;
    waiter->error_number_ = error_number;
    std::exchange(waiter->waiting_, {}).resume();
  }
}

/// Who waits for something that may not be free for long is not kept by what has changed meanwhile: a revert is in force at once.
/// Those whose connection is being made are on their way. The gate's step is over for the others.
void Pool::look_at_queue(void* self) {
  auto* pool = static_cast<Pool*>(self);
  pool->turn_away(pool->pending_);
  pool->turn_away(pool->pending_one_);
  if (pool->pending_count_ > 0) pool->reactor_.arm(pool->look_, kLook);
}

void Pool::turn_away(List<Acquisition>& among) {
  List<Acquisition> unwanted, others;
  while (Acquisition* waiter = among.pop_front()) {
    const bool stays = waiter->making_ != nullptr || waiter->may_leave();
    (stays ? others : unwanted).push_back(*waiter);
  }
  while (Acquisition* waiter = others.pop_front()) among.push_back(*waiter);
  while (Acquisition* waiter = unwanted.pop_front()) {
    waiter->canceled_ = true;  // nothing was free for it, so nothing is for the next
    std::exchange(waiter->waiting_, {}).resume();
  }
}

void Pool::close_idle() {
  for (auto& target : targets_) {
    while (Connection* connection = target->idle.front()) remove_idle(*connection);
    while (SharedConnection* connection = target->shared.pop_front()) connection->cut_off();
  }
  makings_.for_each([](Making& making) {
    if (making.waiters == 0) making.cancel();
  });
}

}  // namespace tidegate::upstream
