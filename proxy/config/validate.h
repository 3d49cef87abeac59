// What no section can see alone: references, names and addresses used twice, and combinations that are allowed but
// surely not meant (warnings). Looks at the structs only; positions come from the tree by path.
#pragma once

#include "config/config.h"
#include "config/node.h"
#include "config/problem.h"

namespace tidegate::config {

/// @param config  what the sections made, with whatever they reported left at its default
/// @param root    the tree that it was made from
void validate(const Config& config, const Node& root, Problems& problems);

}  // namespace tidegate::config
