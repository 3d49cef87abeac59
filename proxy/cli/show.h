// The verbs that only look: status, history, explain, version; and validate, which looks at a file. Each prints and returns the
// exit code or what went wrong. Main thread.
#pragma once

#include <functional>
#include <optional>

#include "cli/api.h"
#include "cli/terminal.h"

namespace tidegate::cli {

/// Empty: done. Else how it ends; what is to be said about it stands in the message.
using Done = std::optional<Trouble>;

Done show_status(const Api& api, const Options& options, Terminal& terminal);
/// Draws again and again. @param next waits for the next drawing; false = enough.
Done watch_status(const Api& api, const Options& options, Terminal& terminal, const std::function<bool()>& next);
Done show_history(const Api& api, const Options& options, Terminal& terminal);
/// Fails when the gate's answer is another than the record's.
Done explain(const Api& api, const Options& options, Terminal& terminal);
void show_version(const Options& options, Terminal& terminal);

Exit validate(const Options& options, Terminal& terminal);

/// JSON or YAML as the options say; false when they ask for a table, which is the caller's.
bool print_data(const boost::json::value& value, const Options& options, Terminal& terminal);

}  // namespace tidegate::cli
