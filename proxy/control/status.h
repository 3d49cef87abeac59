// What `tidegate status`, the API and the metrics show of the engine: a copy, taken on the control thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/side.h"
#include "base/weight.h"
#include "gate/parameters.h"
#include "gate/ruling.h"
#include "rollout/evidence.h"
#include "rollout/rollout.h"

namespace tidegate::control {

/// Why a revert happened: label of tidegate_reverts_total.
enum class RevertReason : std::uint8_t { ErrorRate, HardBreaker, Operator, SlowRate, Check };
inline constexpr std::size_t kRevertReasonCount = 5;
constexpr std::string_view name(RevertReason reason) noexcept {
  constexpr std::array<std::string_view, kRevertReasonCount> names{"error_rate", "hard_breaker", "operator",
                                                                     "slow_rate", "check"};
  return names[static_cast<std::size_t>(reason)];
}

/// Why an alarm left the weight as it was: label of tidegate_gate_holds_total.
enum class HoldReason : std::uint8_t { SharedDegradation, Pause, Notify };
inline constexpr std::size_t kHoldReasonCount = 3;
constexpr std::string_view name(HoldReason reason) noexcept {
  constexpr std::array<std::string_view, kHoldReasonCount> names{"shared_degradation", "pause", "notify"};
  return names[static_cast<std::size_t>(reason)];
}

/// What a stream of the gate says.
struct StreamStatus {
  gate::Ruling ruling;
  gate::Thresholds thresholds;
  std::string sentence;
  bool old_suspect = false;
};

/// The stream that says most; the sentence of a latched route is why it was reverted.
struct GateStatus : StreamStatus {
  gate::OnFail on_fail = gate::OnFail::Revert;
  std::vector<StreamStatus> streams{};  ///< all of them: errors, and slow if the route has it
};

struct CheckStatus {
  std::string name;
  std::optional<gate::Verdict> verdict;  ///< empty: no answer since the step began
  std::string sentence;
  std::uint32_t failures = 0;            ///< in a row
  std::uint32_t of = 0;                  ///< so many are a failure
};

struct CheckCount {
  std::string name;
  std::array<std::uint64_t, 4> verdicts{};  ///< by gate::Verdict, since the start
};

struct RolloutStatus {
  rollout::Rollout rollout;                 ///< while idle with the plan of the file
  double step_s = 0.0;                      ///< since the step (the bake) began, or was continued
  std::uint64_t requests_new = 0;           ///< of new since the weight was set
  std::vector<rollout::Waiting> waiting;    ///< what the step still needs
  std::vector<CheckStatus> checks;
  std::vector<CheckCount> check_counts;
  bool file_differs = false;                ///< the file's plan is for the next start
};

/// What the gate has counted of a side since the start: every attempt that was made there, also those that a retry saved.
struct Attempts {
  std::uint64_t made = 0;
  std::uint64_t failed = 0;
};

struct RouteStatus {
  std::string name;
  PerSide<std::string> clusters;
  Weight file_weight;             ///< what the configuration file says
  Weight wanted;                  ///< what was decided last, by file, person or gate
  Weight effective;               ///< what workers use now
  bool latched = false;
  std::string latch_reason;
  bool has_mirror = false;
  Weight file_mirror;
  Weight mirror;
  std::uint64_t epoch = 0;        ///< of the route's last decision
  GateStatus gate;
  std::array<std::uint64_t, kRevertReasonCount> reverts{};
  std::array<std::uint64_t, kHoldReasonCount> holds{};
  std::optional<RolloutStatus> rollout;  ///< empty: the route has none
  PerSide<Attempts> attempts;
  PerSide<std::uint64_t> stale_failures;  ///< known after their step had ended: not judged
};

struct StoreStatus {
  bool healthy = true;
  std::string path;
  std::string last_error;
  std::uint64_t failures = 0;
  std::size_t pending = 0;
};

struct Status {
  std::uint64_t epoch = 0;
  std::vector<RouteStatus> routes;
  StoreStatus store;
};

}  // namespace tidegate::control
