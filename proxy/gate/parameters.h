// The gate's parameters in the operator's words (PRODUCT §2 `gate:`), with the defaults of the rule (gate/README §2).
// Plain values; every time is in seconds, every share in 0..1.
#pragma once

#include <cstdint>

namespace tidegate::gate {

/// Total outage: do not wait for statistics. Fires when `share` of at least `requests` failed over at least `for_s`.
struct BreakerParameters {
  double share = 0.95;
  std::uint64_t requests = 20;
  double for_s = 0.2;
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
};

/// Which outcomes count as failures of a side (PRODUCT `gate.errors`).
struct ErrorRule {
  bool server_errors = true;  ///< "5xx"
  bool connect = true;
  bool timeout = true;
  bool reset = true;          ///< also an answer that is not HTTP
};

}  // namespace tidegate::gate
