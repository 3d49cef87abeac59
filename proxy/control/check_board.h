// The checks of one route: which are asked now, what they said last, and how often in a row they failed. Only what was
// asked since the step began counts for the step: an answer that comes late says nothing of now. It knows no socket; `ask`
// does the asking. Owned by a RolloutControl, control thread only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "check/answer.h"
#include "check/policy.h"
#include "rollout/evidence.h"

namespace tidegate::control {

/// When a check that a plan names is asked.
enum class CheckRole : std::uint8_t {
  Always,           ///< all the time; has to pass in every step
  BeforeStart,      ///< a hook before the first step
  BeforeIncrease,   ///< a hook before each higher weight
  BeforePromotion,  ///< a hook before weight 100
  AtEnd,            ///< told when the rollout ended
  AtEvent,          ///< told of everything
};
CheckRole role(const check::CheckPolicy& check) noexcept;

class CheckBoard {
 public:
  using Answered = std::function<void(const check::Answer&)>;
  /// Asks; `answered` is called once, on the control thread, or never when the program ends.
  using Ask = std::function<void(const check::CheckPolicy&, Answered)>;

  /// @param policies of the configuration; must outlive the board, or its next configure().
  explicit CheckBoard(const std::vector<check::CheckPolicy>& policies) : policies_(&policies) {}
  CheckBoard(const CheckBoard&) = delete;
  CheckBoard& operator=(const CheckBoard&) = delete;

  /// Another configuration: what was said of a check that is another now no longer counts.
  void configure(const std::vector<check::CheckPolicy>& policies);

  /// What was said before, and what is being asked, no longer counts.
  void begin_step();
  /// Asks those of `names` whose time has come. One that is not wanted for a while keeps its answer and its time.
  void tick(TimePoint now, const std::vector<std::string>& names, const Ask& ask);

  /// Of those names, in their order.
  std::vector<rollout::CheckAnswer> answers(const std::vector<std::string>& names) const;

  struct Failure {
    const check::CheckPolicy* check;
    std::string sentence;
  };
  /// One that failed as often in a row as it may not.
  std::optional<Failure> failure() const;

  struct Row {
    rollout::CheckAnswer said;
    std::uint32_t failures;  ///< in a row
    std::uint32_t of;
  };
  std::vector<Row> rows() const;
  /// How often a check came to each verdict since the start, by gate::Verdict; of all that were ever asked.
  struct Count {
    std::string check;
    std::array<std::uint64_t, 4> verdicts{};
  };
  /// A hook that is only told: what came of it.
  void note_told(const std::string& name, gate::Verdict verdict);
  const std::vector<Count>& counts() const noexcept { return counts_; }

  const check::CheckPolicy* find(const std::string& name) const noexcept;

 private:
  struct Entry {
    std::string name;
    const check::CheckPolicy* policy;  ///< null: the configuration does not have it any more
    std::optional<check::Answer> answer{};
    std::uint32_t failures = 0;
    bool asking = false;
    std::uint64_t serial = 0;          ///< of the question that counts
    TimePoint next{};
  };
  void answered(const std::string& name, std::uint64_t serial, const check::Answer& answer);
  void count(const std::string& name, gate::Verdict verdict);
  static rollout::CheckAnswer said(const Entry& entry);

  const std::vector<check::CheckPolicy>* policies_;
  std::vector<Entry> entries_;  ///< of the names that were wanted since the step began
  std::vector<Count> counts_;
  std::uint64_t serial_ = 0;
};

}  // namespace tidegate::control
