// Bars of a given number of columns. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "cli/terminal.h"

namespace tidegate::cli {

/// Filled from the left to `share`, which is cut to 0..1. Full means done: what is nearly there leaves one cell empty.
std::string meter(std::size_t cells, double share, Tone tone, bool color);

/// The same in `parts` parts of one length with a tick between each two; `done` counts parts. Without ticks where a part
/// would have no cell of its own.
std::string ticked_meter(std::size_t cells, std::size_t parts, double done, Tone tone, bool color);

}  // namespace tidegate::cli
