// What goes into the gate at a tick and what comes out of it: counts in, a ruling with its numbers out. Plain values,
// the vocabulary that control, store, admin and observe share; how a ruling is reached is in gate.h, how it is said to
// an operator in sentence.h. Nothing here owns anything; every function is pure and may be called on any thread.
//
// fields(self, f), here and in the detectors, names every field that a decision's record has to keep to be replayed:
// f(name, field), for reading and for writing (control/replay.h). A new field of a state belongs into it, a test looks.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "gate/parameters.h"

namespace tidegate::gate {

/// What both sides came to in one tick, or since a suspicion began. Requests are counted at dispatch and failures when
/// they are known, so a single tick may hold more failures than requests; the gate then takes that many requests.
struct Counts {
  std::uint64_t new_total = 0;
  std::uint64_t new_failures = 0;
  std::uint64_t old_total = 0;
  std::uint64_t old_failures = 0;

  Counts& operator+=(const Counts& more) noexcept;
  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("new_total", self.new_total), f("new_failures", self.new_failures);
    f("old_total", self.old_total), f("old_failures", self.old_failures);
  }
  friend bool operator==(const Counts&, const Counts&) noexcept = default;
};

/// The same requests, counted for both streams.
struct StreamCounts {
  Counts errors;
  Counts slow;  ///< all-zero failures on a route without a slow stream
};

/// What the caller has to do with the weights.
enum class Decision : std::uint8_t { Hold, Revert, Promote };

/// Why, in PRODUCT's words.
enum class Reason : std::uint8_t {
  Observing,          ///< hold: nothing is proven either way
  NoData,             ///< hold: new had no request for `no_data_s`
  HardBreaker,        ///< revert: practically everything failed
  ErrorRate,          ///< revert: above max_error_rate
  Attribution,        ///< hold: an alarm stands, old's data do not say yet whether it is shared
  SharedDegradation,  ///< hold: old shows the same
  WorseThanOld,       ///< hold: below the threshold, but proven worse than baseline_factor x old + margin
  Promote,            ///< promote: proven not worse than old by the margin
  SlowRate,           ///< revert: slow more often than slow.max_rate
};
inline constexpr std::size_t kReasonCount = 9;

/// What an analysis says to a rollout.
enum class Verdict : std::uint8_t { Pass, Fail, Inconclusive, Error };

std::string_view name(Decision decision) noexcept;
std::string_view name(Reason reason) noexcept;
std::string_view name(Verdict verdict) noexcept;

/// An alarm that was attributed to new (`error_rate`, `slow_rate`, `hard_breaker`: a revert, or a hold where `on_fail` keeps
/// the weight) and `worse_than_old` are `fail`: in all, new is proven to be worse than it may be, at the stated error
/// probability. (That `worse_than_old` moves no weight is in the decision, not in the verdict: it is a proof, but not
/// one that users must be protected from at once.) A promotion is `pass`. What holds for want of evidence is
/// `inconclusive`: `observing` and `no_data` have too little, `attribution` cannot tell yet whose failure it is, and
/// `shared_degradation` says that it is not new's alone. `error` is never given for a ruling: it is the verdict of a
/// check or a gate that could not be asked.
Verdict verdict(Decision decision, Reason reason) noexcept;

/// The evidence after a tick, in nats (natural logarithms); -infinity where no suspicion is open.
struct Statistics {
  static constexpr double kIdle = -std::numeric_limits<double>::infinity();
  double s_new = kIdle;   ///< new above the threshold; alarm at h_new
  double s_old = 0.0;     ///< old above the threshold; suspect at kOldSuspect
  double s_rel = kIdle;   ///< new worse than baseline_factor x old + margin; proven at h_rel
  double s_prom = 0.0;    ///< new not worse than old + margin; proven at h_prom
};

/// Where the statistics are compared; constant for given parameters.
struct Thresholds {
  double h_new = 0.0;
  double h_rel = 0.0;
  double h_prom = 0.0;
};

/// Counts with the time in which they were made.
struct Window {
  Counts counts;
  double seconds = 0.0;
  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("counts", self.counts), f("seconds", self.seconds);
  }
};

struct Ruling {
  Stream stream = Stream::Errors;
  Decision decision = Decision::Hold;
  Reason reason = Reason::Observing;
  Statistics statistics;
  /// The counts behind an alarm, of the lane or streak that fired, and how long ago that suspicion began. Present for
  /// every Revert, for `attribution`, and for `shared_degradation` (the alarm that turned out to be shared).
  std::optional<Window> window;
  Window step;            ///< everything counted since the step began
  double silent_s = 0.0;  ///< since new's last request
};

inline Verdict verdict(const Ruling& ruling) noexcept { return verdict(ruling.decision, ruling.reason); }

}  // namespace tidegate::gate
