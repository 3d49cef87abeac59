// The files that the configuration names and that must be good before anything is served: certificates and keys, the admin
// API's token, where the state and the access log are to be written. Reported where the file is named, like every other
// problem. Creates nothing, and does not look at what a Tidegate that runs already holds (the lock of its state file).
#pragma once

#include "config/config.h"
#include "config/node.h"
#include "config/problem.h"

namespace tidegate::config {

/// @param root the tree that `config` was made from
void check_files(const Config& config, const Node& root, Problems& problems);

}  // namespace tidegate::config
