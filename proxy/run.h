// The two things that need the whole program: the proxy in the foreground, and the demo. Declared apart from app.h so
// that main() includes neither Asio nor the composition root.
#pragma once

#include <string>

#include "cli/options.h"

namespace tidegate {

/// Until SIGTERM, SIGINT or a drain. SIGHUP reloads the configuration. @param watch and so does a change of its file.
/// @return the exit code; 78 = the configuration is bad, and it was said on stderr.
int run(const std::string& config_path, bool watch);
/// Ends by itself. @return the exit code.
int demo(const cli::DemoOptions& options);

}  // namespace tidegate
