// What one worker counts. Each worker writes its own copy and nobody else's; metrics, status and tests fold the copies
// when they are asked. No lock, no shared cache line on the request path (PRODUCT §6).
//
// The gate has its own counters (gate/counters.h) because it counts attempts at dispatch; these count what clients saw.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/counter.h"
#include "base/failure.h"
#include "base/side.h"
#include "http/grpc.h"
#include "http/head.h"
#include "net/proxy_protocol.h"
#include "net/tls_result.h"

namespace tidegate::observe {

/// Counts by status of one method: http_requests_total{...,method,status}. Rows are made when a method is first seen.
class StatusRow {
 public:
  static constexpr std::uint16_t kLeast = 100, kMost = 599;
  void add(std::uint16_t status) noexcept {
    if (status >= kLeast && status <= kMost) counts_[status - kLeast].add();
  }
  std::uint64_t read(std::uint16_t status) const noexcept { return counts_[status - kLeast].read(); }

 private:
  std::array<Counter, kMost - kLeast + 1> counts_;
};

/// Upper bounds in seconds, OpenTelemetry's boundaries extended downwards; the last bucket is +Inf. Each gate's
/// `slow.over` comes in between (latency_bounds()).
inline constexpr std::array<double, 17> kLatencyBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1,
                                                       0.25,   0.5,   0.75,   1.0,   2.5,  5.0,   7.5,  10.0};

/// kLatencyBounds with `more` of them, in order, each once. A route's histograms have the same on every worker, so that
/// they can be added up.
std::vector<double> latency_bounds(std::span<const double> more);

class LatencyHistogram {
 private:
  /// Whole cache lines: what another worker allocates next to them shares none.
  struct alignas(64) Line {
    static constexpr std::size_t kCounters = 64 / sizeof(Counter);
    std::array<Counter, kCounters> counters;
  };
  struct alignas(64) Data {
    explicit Data(std::span<const double> of) : bounds(of), lines(std::make_unique<Line[]>(of.size() / Line::kCounters + 1)) {}
    Counter& at(std::size_t bucket) const noexcept { return lines[bucket / Line::kCounters].counters[bucket % Line::kCounters]; }
    std::vector<double> own_bounds{};
    std::span<const double> bounds;
    std::unique_ptr<Line[]> lines;
    Counter sum_ns{};  // Duration is in nanoseconds
  };

 public:
  LatencyHistogram() : LatencyHistogram(kLatencyBounds) {}
  /// @param bounds must outlive it.
  explicit LatencyHistogram(std::span<const double> bounds) { put(std::make_unique<Data>(bounds)); }

  void add(Duration latency) noexcept {
    Data& data = *data_.load(std::memory_order_relaxed);
    std::size_t bucket = 0;
    const double value = seconds(latency);
    while (bucket < data.bounds.size() && value > data.bounds[bucket]) ++bucket;
    data.at(bucket).add();
    data.sum_ns.add(static_cast<std::uint64_t>(latency.count()));
  }
  /// The worker: one more bound, unless it is there. What was counted stays below the bounds that it was below; who reads
  /// meanwhile has the one or the other.
  void add_bound(double bound);

  /// What it is now; good as long as the histogram.
  class View {
   public:
    explicit View(const Data& data) noexcept : data_(&data) {}
    std::span<const double> bounds() const noexcept { return data_->bounds; }
    /// @param i up to and with bounds().size().
    std::uint64_t bucket(std::size_t i) const noexcept { return data_->at(i).read(); }
    double sum_seconds() const noexcept { return static_cast<double>(data_->sum_ns.read()) * 1e-9; }

   private:
    const Data* data_;
  };
  View view() const noexcept { return View(*data_.load(std::memory_order_acquire)); }

 private:
  void put(std::unique_ptr<Data> data) {
    data_.store(data.get(), std::memory_order_release);
    all_.push_back(std::move(data));
  }

  std::atomic<Data*> data_{nullptr};
  std::vector<std::unique_ptr<Data>> all_;  // the worker's; what somebody may still read
};
static_assert(std::is_same_v<Duration, std::chrono::nanoseconds>);

/// What clients saw of one side of a route.
class SideCounters {
 public:
  SideCounters() = default;
  explicit SideCounters(std::span<const double> bounds) : latency(bounds) {}
  SideCounters(const SideCounters&) = delete;
  SideCounters& operator=(const SideCounters&) = delete;
  ~SideCounters() {
    for (auto& row : rows_) delete row.load(std::memory_order_relaxed);
  }

  void add(http::Method method, std::uint16_t status) {
    std::atomic<StatusRow*>& slot = rows_[static_cast<std::size_t>(method)];
    StatusRow* row = slot.load(std::memory_order_relaxed);
    if (row == nullptr) {
      row = new StatusRow;
      slot.store(row, std::memory_order_release);
    }
    row->add(status);
  }
  /// nullptr: nothing counted for that method yet.
  const StatusRow* row(http::Method method) const noexcept {
    return rows_[static_cast<std::size_t>(method)].load(std::memory_order_acquire);
  }
  LatencyHistogram latency;

 private:
  std::array<std::atomic<StatusRow*>, http::kMethodCount> rows_{};
};

/// Why a copy was not mirrored. received = mirrored + in flight + the sum of these.
enum class MirrorDrop : std::uint8_t {
  Method,       ///< not among mirror.methods
  Percent,      ///< not in the sample
  Rate,         ///< mirror.rate
  Concurrency,  ///< mirror.concurrency
  Buffer,       ///< mirror.buffer: the mirror reads slower than the client sends
  Timeout,      ///< mirror.timeout
  Connect,
  Reset,        ///< the mirror closed or broke the connection early
  Protocol,     ///< its answer was not HTTP
  ClientAbort,  ///< the original ended before its body did
  Shutdown,
  Upgrade,      ///< a connection that stops being HTTP is not mirrored
  Bidirectional,  ///< a gRPC call whose answer began before its request's end
};
inline constexpr std::size_t kMirrorDropCount = 13;
constexpr std::string_view name(MirrorDrop drop) noexcept {
  constexpr std::array<std::string_view, kMirrorDropCount> names{"method",  "percent", "rate",  "concurrency",
                                                                 "buffer",  "timeout", "connect", "reset",
                                                                 "protocol", "client_abort", "shutdown", "upgrade",
                                                                 "bidirectional"};
  return names[static_cast<std::size_t>(drop)];
}

struct MirrorCounters {
  Counter received;
  Counter mirrored;
  std::array<Counter, kMirrorDropCount> dropped;
  Gauge in_flight;
  void drop(MirrorDrop why) noexcept { dropped[static_cast<std::size_t>(why)].add(); }
};

struct alignas(64) RouteCounters {
  RouteCounters() = default;
  explicit RouteCounters(std::span<const double> bounds)
      : sides{{SideCounters(bounds), SideCounters(bounds)}}, no_side(bounds) {}

  PerSide<SideCounters> sides;
  SideCounters no_side;        ///< answered by Tidegate before a side was chosen
  PerSide<std::array<Counter, http::kGrpcCodes>> grpc{};  ///< calls of gRPC by the status that the client saw
  PerSide<Counter> retries;    ///< attempts that were retries, by the side that they went to
  PerSide<Counter> rescued;    ///< of them, those that gave the client a good answer
  PerSide<std::array<Counter, 2>> hedges{};  ///< second attempts beside the first: those that lost, those that won
  PerSide<Counter> spilled;    ///< requests that were the side's and went to the other: it had no healthy endpoint
  MirrorCounters mirror;
  Gauge in_flight;
  PerSide<Gauge> upgraded{};   ///< connections that were upgraded and are open
};

/// Handshakes of a listener's clients, or with a cluster's endpoints.
struct alignas(64) TlsCounters {
  std::array<Counter, net::kTlsResultCount> results;
  Counter resumed;  ///< of those that came to Ok
  void count(net::TlsResult result) noexcept { results[static_cast<std::size_t>(result)].add(); }
};

struct alignas(64) ClusterCounters {
  std::array<Counter, kFailureCount> failures;  ///< tidegate_upstream_failures_total{cluster,reason}
  Gauge active;                                 ///< connections that carry an exchange
  Gauge idle;
  Counter connects;
  Counter checks_passed;                        ///< of health
  Counter checks_failed;
  Counter ejections;                            ///< of addresses, by this worker's requests
  TlsCounters tls;
  void fail(Failure why) noexcept { failures[static_cast<std::size_t>(why)].add(); }
};

/// Counters in places of their own, so that the configuration that comes next can go on with them.
template <class T>
class CounterSet {
 public:
  void add(std::shared_ptr<T> counters) { all_.push_back(std::move(counters)); }
  T& operator[](std::size_t i) const noexcept { return *all_[i]; }
  const std::shared_ptr<T>& share(std::size_t i) const noexcept { return all_[i]; }
  std::size_t size() const noexcept { return all_.size(); }

 private:
  std::vector<std::shared_ptr<T>> all_;
};

/// @param bounds of its histograms; kept with the counters.
std::shared_ptr<RouteCounters> make_route_counters(std::shared_ptr<const std::vector<double>> bounds);

/// What one worker counts for the routes, clusters and listeners of one configuration. What the next one has under the same
/// name goes on in the same place (PRODUCT: counters never go back).
struct ConfiguredCounters {
  CounterSet<RouteCounters> routes;       ///< by route::Route::index
  CounterSet<ClusterCounters> clusters;   ///< by their order in the file
  CounterSet<TlsCounters> listeners;      ///< by their order in the file
};

/// What one worker counts whatever the configuration is.
struct alignas(64) WorkerCounters {
  /// @param bounds of every histogram; must outlive it.
  explicit WorkerCounters(std::span<const double> bounds = kLatencyBounds) : unrouted(bounds) {}

  SideCounters unrouted;                  ///< refused heads and requests that no route matched
  Gauge sessions;                         ///< client connections
  Counter accepted;
  std::array<Counter, net::kProxyRefusalCount> proxy_refused;  ///< by net::ProxyRefusal
  Counter client_refused;                 ///< connections beyond limits.connections_per_client
  Counter slow_requests, slow_responses;  ///< clients below limits.min_request_rate, min_response_rate
  Counter shed;                           ///< requests refused because memory.buffers is used up
  Counter access_log_dropped;
};

}  // namespace tidegate::observe
