// A rollout in one line: for `tidegate status`, for the plain lines of a pipeline and for what a verb says in the end. And
// what it means to those who wait: has it ended, is a person needed, with which exit code. Pure.
#pragma once

#include <string>

#include "cli/exit_code.h"
#include "cli/rollout_facts.h"

namespace tidegate::cli {

/// "weight 25 %", "mirror 100 %", "check smoke", "pause".
std::string step_name(const StepFacts& step);

/// "4m 48s to go" of the step or the bake; empty when no clock runs or its time is over.
std::string to_go(const RolloutFacts& facts);

/// "waits for proof", "waits for 212 more requests of new, check smoke": what is missing besides time; or empty.
std::string missing(const RolloutFacts& facts);

/// "running, step 2 of 6 (weight 25 %), 4m 48s to go; waits for proof"
std::string rollout_line(const RolloutFacts& facts);

/// A line of its own in a log: "step 2 of 6: weight 25 %, 4m 48s to go", "reverted in step 2 of 6 ...: new failed ...".
struct ProgressLine {
  std::string key;  ///< the same = nothing has changed but clocks and counts
  std::string text;
};
ProgressLine progress_line(const RolloutFacts& facts);

/// A step whose pause has no time, a pause of a person, the gate, a check or the file: nothing goes on by itself.
bool needs_person(const RolloutFacts& facts) noexcept;

/// The step's time is over, and what is missing is evidence: of the gate or of a check.
bool inconclusive(const RolloutFacts& facts) noexcept;

/// Of `rollout status`: 10, 11 and 12 where it was reverted, aborted, or waits for a person.
Exit exit_of(const RolloutFacts& facts) noexcept;

}  // namespace tidegate::cli
