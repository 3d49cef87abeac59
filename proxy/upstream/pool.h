// The connections of one worker to one cluster: idle ones and shared ones per target, at most the worker's share of
// `pool.connections` together, and a bounded queue of exchanges that wait for one. Mirrors have pools of their own, so a mirror can never
// take a connection from the original (PRODUCT §3).
//
// A target is one address of an endpoint. Which one an exchange goes to is choice.h's business; then an idle connection to it
// is lent, the newest first, or one is made. Before an exchange waits it takes whatever is free, of any target. A target that
// could not be connected to is passed over for a while where there are others: it has nothing in flight, and would be taken
// by everybody.
// One worker's thread.
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/intrusive_list.h"
#include "base/random.h"
#include "base/task.h"
#include "net/address.h"
#include "net/tls_context.h"
#include "upstream/channel.h"
#include "upstream/connection.h"
#include "upstream/policy.h"
#include "upstream/shared_connection.h"

namespace tidegate::upstream {

class Making;

/// A channel lent to one exchange. Closed when the lease ends without give_back().
class Lease {
 public:
  Lease() noexcept = default;
  explicit Lease(Channel& channel) noexcept : channel_(&channel) {}
  Lease(Lease&& from) noexcept : channel_(std::exchange(from.channel_, nullptr)) {}
  Lease& operator=(Lease&& from) noexcept {
    if (this != &from) {
      drop();
      channel_ = std::exchange(from.channel_, nullptr);
    }
    return *this;
  }
  ~Lease() { drop(); }

  explicit operator bool() const noexcept { return channel_ != nullptr; }
  Channel* operator->() const noexcept { return channel_; }
  Channel& operator*() const noexcept { return *channel_; }
  /// The exchange is complete and the channel is fit for another, where it can carry another.
  void give_back() noexcept {
    if (channel_ != nullptr) std::exchange(channel_, nullptr)->release(true);
  }
  /// The exchange is not complete: nothing else goes over the channel.
  void drop() noexcept {
    if (channel_ != nullptr) std::exchange(channel_, nullptr)->release(false);
  }

 private:
  Channel* channel_ = nullptr;
};

/// How a request for a connection came out: a lease, or why not.
struct Acquired {
  Lease lease;
  Failure failure = Failure::None;
  std::string_view endpoint{};  ///< that was tried, also when it failed; empty: none
  int error_number = 0;  ///< of a failed connect, also with Overflow; 0 with Failure::Connect means that it took too long
  bool was_queued = false;  ///< of Failure::Canceled: what was made for it among others had no place for it
};

/// What an error of socket() or connect() means: the side's failure, or Overflow where this machine ran out of something
/// (descriptors, ports, memory), which says nothing about the side.
Failure failure_of_connect(int error_number) noexcept;

/// Which idle connections serve a request.
enum class Reuse : std::uint8_t {
  Any,
  Certain,  ///< asks the kernel that the peer has neither closed it nor spoken: for requests that must not be sent twice
  Never,    ///< a new connection: the last one turned out to be closed
};

/// Which connections serve a request.
enum class Carrying : std::uint8_t {
  Any,
  One,  ///< only those that carry one exchange at a time: the exchange takes the connection over (Upgrade)
};

/// A request for a connection that is under way, so that it can be called off. Owned by the exchange.
class Acquisition : public Link<> {
 public:
  /// Ends acquire() with Failure::Canceled, if it is under way. @param why Timeout: the attempt's time is over, and an address whose
  /// connection is still being made has failed
  void cancel(Failure why = Failure::Canceled) noexcept;
  struct Events {
    /// The request leaves for the side: a connection was found, or one is being made for it alone; or that which is made for many, and
    /// which it waits for, fails it. Once, or never.
    void (*on_dispatch)(void*);
    /// A connection is being made for many, it among them, which may have no place for it: its time runs, as if it had left. Before
    /// on_dispatch, if at all.
    void (*on_way)(void*);
    /// Asked after each wait in the queue, and every 20 ms while it lasts; false: it is not wanted any more, and acquire() ends with
    /// Failure::Canceled; nullptr: it always is.
    bool (*may_leave)(void*);
    void* context;
  };
  void set_events(const Events& events) noexcept { events_ = events; }
  /// What it waits for is being made, or was and has not said whether it has a place.
  bool is_on_its_way() const noexcept { return waiting_ && awaited_ != nullptr; }
  /// Says that it has left, once.
  void dispatch() noexcept {
    if (events_.on_dispatch != nullptr && !std::exchange(is_dispatched_, true)) events_.on_dispatch(events_.context);
  }

 private:
  friend class Pool;
  void set_out() noexcept {
    if (events_.on_way != nullptr && !is_dispatched_ && !std::exchange(is_on_way_, true)) events_.on_way(events_.context);
  }
  void begin() noexcept {
    is_dispatched_ = is_on_way_ = canceled_ = is_late_ = false;
    making_ = nullptr;
    renewed_ = false;
    failure_ = Failure::None;
  }
  bool may_leave() const noexcept { return events_.may_leave == nullptr || events_.may_leave(events_.context); }
  Events events_{nullptr, nullptr, nullptr, nullptr};
  std::coroutine_handle<> waiting_;
  Connection* connecting_ = nullptr;
  const void* awaited_ = nullptr;  // the target whose connection, which many will share, it waits for
  Making* making_ = nullptr;       // that connection, while it is being made
  bool is_dispatched_ = false;
  bool is_on_way_ = false;
  bool renewed_ = false;           // the connection that was made for it had no place for it
  bool canceled_ = false;
  bool is_late_ = false;           // and why: its time was over
  Lease given_;                    // that it waited for
  Failure failure_ = Failure::None;  // of the connection that it waited for
  int error_number_ = 0;
};

/// A worker's part of the pool's bounds.
struct PoolShare {
  std::uint32_t connections = 1024;
  std::uint32_t pending = 1024;
};

/// What a pool reports to the worker's counters; kept abstract so that upstream/ does not know observe/.
struct PoolEvents {
  virtual void on_connections(int active_change, int idle_change) = 0;
  virtual void on_connect() = 0;
  virtual void on_tls(std::string_view /*endpoint*/, const net::TlsLayer& /*handshake, its end*/) {}
  virtual void on_ejected(std::size_t /*endpoint*/, const net::Address& /*address*/, Duration /*length*/) {}
  virtual void on_tls_alert(std::string_view /*endpoint*/, const net::TlsLayer& /*refused later*/) {}

 protected:
  ~PoolEvents() = default;
};

class Pool final : private net::TurnEnd {
 public:
  /// An exchange has two: Failed; or Answered, and then, unless its client has left, Whole or Broken. Heads that are good and bodies that
  /// break off are counted apart: a stream that goes on stands between failures, and who cuts every answer is found all the same.
  enum class Outcome : std::uint8_t { Answered, Failed, Whole, Broken };

  static constexpr std::size_t kNobody = ~std::size_t{0};

  Pool(net::Reactor& reactor, const ClusterPolicy& policy, PoolShare share, PoolEvents& events);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  /// What the endpoint's name resolves to now. Leases keep their addresses; idle connections to others are closed. Addresses
  /// that are new once the pool is used begin slowly (`slow_start`).
  void set_addresses(std::size_t endpoint, const std::vector<net::Address>& addresses);

  /// What the health checks say of an address. Idle connections to one that is not healthy are closed; leases go on.
  void set_health(std::size_t endpoint, const net::Address& address, bool healthy);
  /// What is known of an address before it is this pool's.
  struct Known {
    net::Address address;
    bool healthy = true;
    bool fails = false;            ///< the last connection to it failed
    TimePoint retry_at{};
    TimePoint ejected_until{};
    std::uint32_t ejections = 0;   ///< in a row
  };
  /// Before set_addresses(). Used once, for the address's first appearance; forgotten when every endpoint has its addresses.
  void know(Known known) { known_.push_back(known); }
  /// What the pool that this one replaces knew of the addresses that both have. Before set_addresses().
  void take_over_health(const Pool& before);
  /// Addresses that the health checks have found unhealthy.
  std::vector<net::Address> unhealthy() const;
  /// An address is left out for so long, if `outlier.max_ejected` allows it: another worker has found it failing.
  void eject(std::size_t endpoint, const net::Address& address, Duration length);
  /// Some address may take requests. Without any the pool still serves, with all that there are.
  bool is_usable() const noexcept { return usable_; }
  /// With `outlier`: what an exchange over it came to, at the moment that it is known.
  void note(const Channel& channel, Outcome outcome) {
    if (policy_.outlier) note_outcome(*targets_[channel.target()], outcome);
  }

  /// From now on connections are made with it; nullptr = plain. Idle ones that were made otherwise are closed.
  void set_tls(std::shared_ptr<const net::TlsClientContext> context);

  /// An idle connection, or none.
  /// @param client with policy().proxy_protocol: only connections of this client, of nullptr those that are Tidegate's own.
  /// A pool serves either clients or Tidegate itself (copies), not both.
  /// @param avoid Channel::target() of where the attempt before failed: another is taken where there is one.
  Lease take_idle(Reuse reuse, Client* client = nullptr, Carrying carrying = Carrying::Any, std::size_t avoid = kNobody);
  /// A connection, new or once one is free. Failure: Connect, Overflow or Canceled.
  Task<Acquired> acquire(Acquisition& acquisition, Reuse reuse, Client* client = nullptr, Carrying carrying = Carrying::Any,
                         std::size_t avoid = kNobody);

  const ClusterPolicy& policy() const noexcept { return policy_; }
  /// The endpoint as it was written, for logs.
  const std::string& endpoint_text(const Channel& channel) const noexcept;
  const EndpointAddress& endpoint(const Channel& channel) const noexcept;
  std::uint32_t connections() const noexcept { return total_; }
  std::size_t places() const noexcept { return targets_.size(); }  ///< of targets, those that are gone included
  /// Closes the idle connections; leases are closed when they end.
  void close_idle();

 private:
  friend class Client;
  friend class Connection;
  friend class Making;
  friend class SharedConnection;
  struct Target {
    std::size_t endpoint;
    net::Address address;
    net::TlsSessionSlot session{};  ///< that the next connection resumes
    List<Connection> idle;
    List<SharedConnection> shared;
    std::uint32_t load = 0;         ///< exchanges in flight: connecting, leases, streams
    Making* making = nullptr;       ///< a connection that will be shared by those who wait for it
    std::uint32_t connections = 0;  ///< of total_
    TimePoint appeared{};           ///< with slow_start; zero: it was there from the beginning
    TimePoint retry_at{};           ///< while it fails
    bool fails = false;             ///< the last connection to it could not be made
    bool current = true;            ///< still among the endpoint's addresses
    bool serves = true;             ///< among those that take requests
    bool healthy = true;            ///< as the health checks say
    std::uint32_t errors = 0;       ///< in a row, with outlier
    std::uint32_t breaks = 0;       ///< of answers that had begun, in a row
    std::uint32_t ejections = 0;    ///< in a row
    TimePoint ejected_until{};      ///< zero: it is not
    /// One exchange at a time tries it again.
    bool is_avoided(TimePoint now) const noexcept { return fails && (now < retry_at || load > 0); }
    bool is_left() const noexcept { return !current && load == 0 && connections == 0; }
  };

  Target* choose(std::size_t avoid);
  Target* find(std::size_t endpoint, const net::Address& address) noexcept;
  void choose_among();
  void close_idle_to(Target& target);
  void note_outcome(Target& target, Outcome outcome);
  bool eject(Target& target, Duration length);
  void readmit_at(TimePoint when);
  static void readmit(void* self);
  Target* instead_of(Target& avoided, std::uint64_t chance);
  Target& place_for(std::size_t endpoint, const net::Address& address);
  void apply_known(Target& target);
  bool has_every_endpoint() const;
  Lease take_from(Target& target, Reuse reuse, bool streams);
  Lease take_any(Reuse reuse, Carrying carrying);
  bool is_announced(const Client* client) const noexcept { return client != nullptr && policy_.proxy_protocol.has_value(); }
  bool streams_for(Carrying carrying) const noexcept { return carrying == Carrying::Any && shared_ != 0; }
  Task<net::IoStatus> announce(Connection& connection);
  Lease take_idle_of(Client& client, Reuse reuse);
  Lease take(Connection& connection);
  std::unique_ptr<Connection> begin_connection(Target& target, Client* client);
  Making& make_for_all(Target& target, std::unique_ptr<Connection> begun);
  void made(Making& making, net::IoStatus status);
  void hand_out(Making& making, net::IoStatus status);
  void leave(Acquisition& acquisition);
  Failure not_made(std::unique_ptr<Connection> connection, net::IoStatus status, bool late);
  void note_unreachable(Target& target);
  Task<net::IoStatus> establish(Connection& connection, Carrying carrying);
  Task<net::IoStatus> secure(Connection& connection, Target& target, TimePoint deadline, Carrying carrying);
  Lease lend(Connection& connection);
  void release(Connection& connection, bool reusable);
  void close(Connection& connection);
  void close_socket(Connection& connection);
  void remove_idle(Connection& connection);
  Lease take_exclusive(Target& target, Reuse reuse);
  Lease take_stream(Target& target);
  Lease share(std::unique_ptr<Connection> established, bool is_wanted);
  bool carries_many(const Connection& connection) const noexcept;
  bool make_room(Carrying carrying);
  std::uint32_t closing() noexcept;
  bool has_pending() const noexcept { return !pending_.empty(); }
  std::uint32_t pending_count() const noexcept { return pending_count_; }
  void wake_next() noexcept;
  void wake_those_of_one() noexcept;
  void wake_for_stream();
  bool is_below_bound() noexcept;
  void consider_another();
  bool may_connect() const noexcept;
  bool will_be_shared(Target& target) noexcept;
  void await_anything(std::size_t target) noexcept;
  void on_turn_end() override;
  Acquisition* waiter_for(Making& making);
  void end_wait(Failure why, const Target* of, int error_number = 0);
  void turn_away(List<Acquisition>& among);
  static void look_at_queue(void* self);
  void gone(std::size_t target) noexcept;
  void on_stream_end(SharedConnection& connection, bool is_over);
  void on_shared_end(SharedConnection& connection);

  net::Reactor& reactor_;
  const ClusterPolicy& policy_;
  const PoolShare share_;
  PoolEvents& events_;
  std::shared_ptr<const net::TlsClientContext> tls_;
  std::vector<std::unique_ptr<Target>> targets_;  // places of addresses that DNS has taken back are used again once nothing is left there
  std::vector<Target*> current_;                  // those that take requests; at most kMostAddresses an endpoint
  bool usable_ = false;
  net::Timer readmission_;                        // for the next of those that are ejected
  TimePoint readmission_at_{};
  Target* drawn_ = nullptr;                       // by a take_idle() that found nothing there, for the acquire() that follows at once
  Random random_;
  bool was_used_ = false;
  std::uint32_t total_ = 0;  // open or connecting
  std::uint32_t idle_ = 0;
  std::uint32_t shared_ = 0;       // of them, those that carry many
  bool expects_many_ = false;      // a new connection will carry many, so one at a time is made
  List<Making> makings_;
  List<Acquisition> pending_;
  List<Acquisition> pending_one_;  // of Carrying::One: a stream that is free is nothing to them
  std::vector<Known> known_;       // until the addresses are here
  std::uint32_t wakes_ = 0;        // that are due at the turn's end
  std::uint32_t pending_count_ = 0;
  net::Timer look_;                // at who waits, while somebody does
};

}  // namespace tidegate::upstream
