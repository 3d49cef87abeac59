// The configuration that is in effect, defaults filled in, as JSON with PRODUCT's keys. No secrets: the token is not in
// the configuration, and the values of header fields (match.headers, request_headers.set) are never shown, because
// ${ENV} puts credentials there under names that nobody can list. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "config/config.h"

namespace tidegate::admin {

boost::json::object config_json(const config::Config& config);

/// As the file would say it: "250ms", "30s", "5m", "1h", "7d"; the largest unit that gives a whole number.
std::string duration_text(Duration duration);

}  // namespace tidegate::admin
