// The verbs that change something at the server: weight, mirror, revert, rearm, reload, drain. Each asks, and says in one line
// what is in force now. Main thread.
#pragma once

#include "cli/show.h"

namespace tidegate::cli {

/// A rise by more than this is asked about on a terminal, unless --yes.
inline constexpr double kBoldRise = 50.0;  // points

Done set_weight(const Api& api, const Options& options, Terminal& terminal);
Done set_mirror(const Api& api, const Options& options, Terminal& terminal);
Done revert(const Api& api, const Options& options, Terminal& terminal);
Done rearm(const Api& api, const Options& options, Terminal& terminal);
Done reload(const Api& api, const Options& options, Terminal& terminal);
Done drain(const Api& api, const Options& options, Terminal& terminal);

}  // namespace tidegate::cli
