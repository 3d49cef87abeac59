// One walk over the parsed tree before sections are read from it: equal keys and keys that are no text are reported and
// dropped, ${ENV} is expanded in values. After it every mapping has unique, textual keys.
#pragma once

#include "config/environment.h"
#include "config/node.h"
#include "config/problem.h"

namespace tidegate::config {

void prepare(Node& root, const Environment& environment, Problems& problems);

}  // namespace tidegate::config
