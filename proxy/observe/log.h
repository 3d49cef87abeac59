// The program's own log: lines for operators on standard error. Not the access log (access_log.h). Any thread; never on
// the request path.
#pragma once

#include <string_view>

namespace tidegate::observe {

enum class LogLevel { Debug, Info, Warn, Error };

/// Before the first line.
void set_log_level(LogLevel level);
void log_debug(std::string_view line);
void log_info(std::string_view line);
void log_warn(std::string_view line);
void log_error(std::string_view line);

}  // namespace tidegate::observe
