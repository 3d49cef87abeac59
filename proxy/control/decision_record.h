// What a decision of the gate rested on, as JSON: counts, evidence, thresholds and parameters. Kept in the history so that
// the decision can be explained later, and replayed.
#pragma once

#include <string>

#include "base/weight.h"
#include "gate/parameters.h"
#include "gate/ruling.h"

namespace tidegate::control {

std::string decision_record(const gate::Ruling& ruling, const gate::Parameters& parameters,
                            const gate::Thresholds& thresholds, Weight weight_before);

}  // namespace tidegate::control
