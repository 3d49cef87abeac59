// What a decision rested on, as JSON, kept in the history: for people counts, evidence, thresholds and parameters; of a
// decision of the gate also what is needed to replay it (replay.h).
#pragma once

#include <string>
#include <vector>

#include "base/weight.h"
#include "control/replay.h"
#include "control/status.h"
#include "observe/failure_samples.h"

namespace tidegate::control {

/// Of a decision that the gate made. @param now the same gate after the tick.
std::string decision_record(const GateTick& tick, const gate::RouteGate& now, const gate::Ruling& ruling, Weight before,
                            Weight after);

/// The record with why a step of a rollout was over.
std::string with_evidence(const std::string& record, const rollout::Evidence& evidence);

/// The record with the first requests that failed, oldest first, at most kFailuresKept of them.
inline constexpr std::size_t kFailuresKept = 10;
/// "; new had no healthy endpoint" when that is what these failures, or some of them, were; else empty.
std::string_view said_of_health(const std::vector<observe::FailureSample>& failures) noexcept;
std::string with_failures(const std::string& record, std::vector<observe::FailureSample> failures);

/// Of a decision that somebody else made: what the gate said just before it.
std::string situation_record(const GateStatus& gate);

}  // namespace tidegate::control
