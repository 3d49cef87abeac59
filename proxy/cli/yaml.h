// JSON as YAML, for `-o yaml`: block style, two spaces, keys in the order of the JSON. A text that a YAML 1.1 or 1.2
// reader would take for something else (true, no, 12, ~, a date) is quoted. Writes only; the configuration's reader is
// config's. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace tidegate::cli {

/// Ends with a line end.
std::string to_yaml(const boost::json::value& value);

/// A text as a YAML scalar: plain where that is safe, else in double quotes.
std::string yaml_scalar(std::string_view text);

}  // namespace tidegate::cli
