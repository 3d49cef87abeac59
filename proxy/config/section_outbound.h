// What every key has in common that names a server which Tidegate asks for itself: url, tls, headers. For the sections of
// checks and notifications.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/sections.h"
#include "outbound/policy.h"

namespace tidegate::config {

void read_url(const Value& value, std::string& out);
void read_outbound_tls(const Value& value, outbound::TlsPolicy& out);
/// @param section the path that the keys stand below: "checks.NAME.webhook.tls"
void append_outbound_tls_keys(std::string_view section, KeyList& out);
/// Names to values; the values are secrets as a rule, and never shown.
void read_outbound_headers(const Value& value, std::vector<std::pair<std::string, std::string>>& out);

}  // namespace tidegate::config
