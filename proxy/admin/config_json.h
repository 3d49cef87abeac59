// The configuration that is in effect, defaults filled in, as JSON with PRODUCT's keys. No secrets: the token is not in
// the configuration, and the values of header fields (match.headers, request_headers.set) are never shown, because
// ${ENV} puts credentials there under names that nobody can list. Pure.
#pragma once

#include <boost/json/object.hpp>

#include "config/config.h"

namespace tidegate::admin {

boost::json::object config_json(const config::Config& config);

}  // namespace tidegate::admin
