// What the API says about a route and its rollout, as plain values for the views and the exit codes. Texts are made
// printable on the way in; what a server of another version leaves out is empty or 0. No sentence is made here. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidegate::cli {

/// Unknown: of a newer server; it counts as not ended.
enum class RolloutState : std::uint8_t { Idle, Running, Paused, Baking, Completed, Reverted, Aborted, Unknown };

struct StepFacts {
  std::string kind;  ///< weight, mirror, pause, check
  std::string text;  ///< "weight 25 % for 5m"
  std::optional<double> weight{}, mirror{};
  std::optional<double> for_s{};  ///< empty: no clock ends it
  std::string check{};
};

struct WaitFacts {
  std::string reason;  ///< time, evidence, gate, check, person, store, bake
  std::string sentence;
};

struct PauseFacts {
  std::string by;  ///< person, step, gate, check, file
  std::string sentence;
};

struct CheckFacts {
  std::string name;
  std::string verdict;  ///< empty: none yet
  std::string sentence;
  double failures = 0, of = 0;
};

struct SideFacts {
  double requests = 0, failures = 0;
  std::optional<double> p50_ms{}, p99_ms{};
};

/// The evidence of the stream that says most, and where it is proof.
struct GateFacts {
  std::string verdict, sentence;
  std::optional<double> s_new{}, h_new{};    ///< towards fail
  std::optional<double> s_prom{}, h_prom{};  ///< towards pass
};

struct RolloutFacts {
  std::string route;
  std::string weight;  ///< of new, in force: "25 %"
  bool latched = false;
  std::string latch_reason{};
  GateFacts gate{};
  SideFacts old_side{}, new_side{};

  RolloutState state = RolloutState::Unknown;
  std::string state_word{};
  std::size_t step = 0;  ///< 1-based; 0 when idle
  std::vector<StepFacts> steps{};
  double step_elapsed_s = 0;
  double bake_s = 0, bake_elapsed_s = 0;
  bool by_proof = false;  ///< `advance: proven`
  double min_requests = 0, requests_new = 0;
  std::vector<WaitFacts> waiting{};
  std::optional<PauseFacts> pause{};
  std::optional<std::int64_t> started_at_ms{};
  std::string started_by{};
  std::vector<CheckFacts> checks{};
  bool file_differs = false;

  /// Null when there is none: idle, or a plan that has become shorter.
  const StepFacts* current() const noexcept { return step == 0 || step > steps.size() ? nullptr : &steps[step - 1]; }
  bool ended() const noexcept {
    return state == RolloutState::Completed || state == RolloutState::Reverted || state == RolloutState::Aborted;
  }
  /// Paused by a step that has a time: it goes on by itself, and its clock runs.
  bool timed_pause() const noexcept;
  bool waits_for(std::string_view reason) const noexcept;
};

/// @param route the answer of GET /api/v1/routes/R. Empty when the route has no rollout.
std::optional<RolloutFacts> read_rollout(const boost::json::value& route);

/// The clock runs on between two answers: the facts `age_s` seconds later, if nothing else happens.
RolloutFacts aged(RolloutFacts facts, double age_s);

}  // namespace tidegate::cli
