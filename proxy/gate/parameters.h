// The gate's parameters in the operator's words (PRODUCT §2 `gate:`), with the defaults of the rule (gate/README §2).
// Plain values; every time is in seconds, every share in 0..1.
//
// A route is judged in up to two streams by the same test: errors, and slow answers. Parameters are those of one stream;
// slow_parameters() derives the second from the first. Both are paid from one false-revert budget.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::gate {

/// Total outage: do not wait for statistics. Fires when `share` of at least `requests` failed over at least `for_s`.
struct BreakerParameters {
  double share = 0.95;
  std::uint64_t requests = 20;
  double for_s = 0.2;
  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("share", self.share), f("requests", self.requests), f("for_s", self.for_s);
  }
  bool operator==(const BreakerParameters&) const = default;
};

struct Parameters {
  double max_error_rate = 0.01;        ///< theta: new may fail this often
  double comparison_margin = 0.005;    ///< delta: this much worse than old still counts as equal; default max_error_rate / 2
  double baseline_factor = 2.0;        ///< rho: when old is sick too, revert only above rho x old + delta
  double false_revert_budget = 0.001;  ///< alpha: chance of a revert without reason per budget period
  double budget_period_s = 86'400.0;   ///< H
  double burst_tolerance_s = 2.0;      ///< tau: errors shorter than this cannot revert by themselves; 0 = fastest
  BreakerParameters breaker{};
  double attribution_grace_s = 5.0;    ///< how long a justified alarm may wait for old's data
  std::uint64_t min_requests = 5;      ///< of new, in the window that fires
  double promote_error = 0.05;         ///< chance per step of promoting a new that is worse than old by the margin
  double min_dwell_s = 60.0;           ///< shortest step that can be promoted
  double no_data_s = 10.0;             ///< silence of new after which the verdict is no_data
  double stream_share = 1.0;           ///< this stream's share of alpha (gate/README §3.4)
  bool use_baseline = true;            ///< false: old is not looked at
  bool use_breaker = true;             ///< false: only the sequential test can raise an alarm
  double slow_over_s = 0.0;            ///< 0: the errors stream; else "failed" means "took longer than this"

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("max_error_rate", self.max_error_rate), f("comparison_margin", self.comparison_margin);
    f("baseline_factor", self.baseline_factor), f("false_revert_budget", self.false_revert_budget);
    f("budget_period_s", self.budget_period_s), f("burst_tolerance_s", self.burst_tolerance_s);
    f("breaker", self.breaker), f("attribution_grace_s", self.attribution_grace_s);
    f("min_requests", self.min_requests), f("promote_error", self.promote_error);
    f("min_dwell_s", self.min_dwell_s), f("no_data_s", self.no_data_s), f("stream_share", self.stream_share);
    f("use_baseline", self.use_baseline), f("use_breaker", self.use_breaker), f("slow_over_s", self.slow_over_s);
  }
  bool operator==(const Parameters&) const = default;
};

/// What is counted as a failure.
enum class Stream : std::uint8_t { Errors, Slow };
constexpr std::string_view name(Stream stream) noexcept { return stream == Stream::Errors ? "errors" : "slow"; }
constexpr Stream stream_of(const Parameters& p) noexcept { return p.slow_over_s > 0.0 ? Stream::Slow : Stream::Errors; }

/// The second stream (PRODUCT `gate.slow`): new may be slower than `over_s` in `max_rate` of its answers.
struct SlowRule {
  double over_s = 0.5;
  double max_rate = 0.05;
  double margin = 0.02;  ///< this much more often slow than old still counts as equal
  bool operator==(const SlowRule&) const = default;
};

/// How the two streams share the false-revert budget (the gate's rule, §3.4). Without a slow stream errors have all.
inline constexpr double kErrorsShare = 0.8;
inline constexpr double kSlowShare = 0.2;

/// The stream of errors beside a slow one.
Parameters beside_slow(Parameters errors) noexcept;
/// The same test on slow answers. Without the breaker: that is for outages, and everything being slow for a fifth of a
/// second (a pause of a garbage collector) is none; the burst tolerance is for that.
Parameters slow_parameters(Parameters errors, const SlowRule& slow) noexcept;

/// What happens when the gate would revert (PRODUCT `gate.on_fail`).
enum class OnFail : std::uint8_t {
  Revert,
  Pause,   ///< the weight stays, whoever raises it stops
  Notify,  ///< what-if: it is only said
};
std::string_view name(OnFail on_fail) noexcept;

/// gRPC's status codes are 0 (OK) to 16 (UNAUTHENTICATED).
inline constexpr std::uint32_t kHighestGrpcCode = 16;
/// The bit of a code in ErrorRule::grpc; 0 for one that gRPC does not have.
constexpr std::uint32_t grpc_bit(std::uint32_t code) noexcept { return code <= kHighestGrpcCode ? 1u << code : 0; }

/// Which outcomes count as failures of a side (PRODUCT `gate.errors`).
struct ErrorRule {
  bool server_errors = true;  ///< "5xx"
  bool connect = true;
  bool timeout = true;
  bool reset = true;          ///< also an answer that is not HTTP
  /// Bits of "grpc:N"; the default is UNKNOWN, INTERNAL, UNAVAILABLE.
  /// then the configuration refuses the words: a guard that guards nothing must not be configurable.
  std::uint32_t grpc = grpc_bit(2) | grpc_bit(13) | grpc_bit(14);
  bool operator==(const ErrorRule&) const = default;
};

}  // namespace tidegate::gate
