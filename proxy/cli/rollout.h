// The verb `rollout` and its actions: those that change something say in one sentence what holds then, `status` prints
// the rollout and ends with a code that says how it stands, `status --wait` and `watch` follow it. Main thread.
#pragma once

#include "cli/show.h"

namespace tidegate::cli {

Done rollout(const Api& api, const Options& options, Terminal& terminal);

}  // namespace tidegate::cli
