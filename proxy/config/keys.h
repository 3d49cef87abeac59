// Every key that a configuration file may have, as this version reads it. For tests and documentation: the reference in
// config/README.md and the sample config/full.yaml are held against it.
#pragma once

#include <string>
#include <vector>

namespace tidegate::config {

/// Full paths: "workers", "listeners[].limits.headers", "clusters.NAME.endpoints", "routes[].match.headers.NAME.exact".
std::vector<std::string> known_keys();

}  // namespace tidegate::config
