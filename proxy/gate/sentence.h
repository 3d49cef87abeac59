// A ruling in the operator's words: one line, in counts and seconds, never in nats. The same text is in the decision
// record, the log, the API and the command line. It does not say what happens next (that is the caller's). Pure.
#pragma once

#include <string>

#include "gate/parameters.h"
#include "gate/ruling.h"

namespace tidegate::gate {

/// E.g. "new failed 12 of 60 requests in 0.6 s, old 0 of 60 in the same time, threshold 1 %, false-revert budget 0.1 %
/// a day". Holds begin with their reason: "observing: ...", "no data: ...".
std::string sentence(const Ruling& ruling, const Parameters& parameters);

}  // namespace tidegate::gate
