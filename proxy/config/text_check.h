// What is refused before the YAML parser sees a byte: too much text, bytes that are not UTF-8, control characters, tabs
// that indent. The parser accepts some of these and reads them as something else.
#pragma once

#include <string_view>

#include "config/problem.h"

namespace tidegate::config {

/// Reports what it finds; true when the text may be parsed.
bool check_text(std::string_view text, Problems& problems);

}  // namespace tidegate::config
