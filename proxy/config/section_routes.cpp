#include <array>

#include "config/limits.h"
#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"
#include "http/limits.h"

namespace tidegate::config {
namespace {

constexpr std::array kFields{
    Field<Route>{"name", [](In v, Route& out) { read_name(v, out.policy.name); }, true},
    Field<Route>{"match", [](In v, Route& out) { read_match(v, out.policy.match); }},
    Field<Route>{"old", [](In v, Route& out) { read_name(v, out.policy.clusters[Side::Old]); }},
    Field<Route>{"new", [](In v, Route& out) { read_name(v, out.policy.clusters[Side::New]); }},
    Field<Route>{"weight", [](In v, Route& out) { read_weight(v, out.policy.weight); }},
    Field<Route>{"timeout", [](In v, Route& out) { read_duration(v, out.policy.timeout, {"0s", "1d"}); }},
    Field<Route>{"retry", [](In v, Route& out) { read_retry(v, out.policy.retry); }},
    Field<Route>{"hedge", [](In v, Route& out) { read_hedge(v, out.policy.hedge); }},
    Field<Route>{"request_headers",
                 [](In v, Route& out) { read_request_headers(v, out.policy.request_headers); }},
    Field<Route>{"upgrade", [](In v, Route& out) { read_upgrade(v, out.policy.upgrade); }},
    Field<Route>{"mirror", [](In v, Route& out) { read_mirror(v, out.policy.mirror); }},
    Field<Route>{"gate", read_gate},
    Field<Route>{"rollout", [](In v, Route& out) { read_rollout(v, out.rollout); }},
};
constexpr Section<Route> kSection{"routes[]", kFields};

}  // namespace

void read_routes(const Value& value, std::vector<Route>& out) {
  read_list(value, [&](const Value& item) { read_section(item, kSection, out.emplace_back()); });
}

void append_route_keys(KeyList& out) {
  kSection.append_keys(out);
  append_match_keys(out);
  append_retry_keys(out);
  append_hedge_keys(out);
  append_request_header_keys(out);
  append_upgrade_keys(out);
  append_mirror_keys(out);
  append_gate_keys(out);
  append_rollout_keys(out);
}

void read_methods(const Value& value, std::vector<std::string>& out) {
  constexpr std::array<std::string_view, 9> kStandard{"GET",    "HEAD",    "POST",  "PUT",  "PATCH",
                                                      "DELETE", "OPTIONS", "TRACE", "CONNECT"};
  out.clear();
  read_list(value, [&](const Value& item) {
    const auto text = item.text("a method");
    if (!text) return;
    if (!is_token(*text) || text->size() > http::kMethodBytes) return item.fail(in_quotes(*text) + " is not a method");
    const std::string usual = upper(*text);
    const bool slip = usual != *text && std::find(kStandard.begin(), kStandard.end(), usual) != kStandard.end();
    if (slip) item.warn(in_quotes(*text) + " is not " + usual + ": the case of a method counts");
    out.emplace_back(*text);
  });
}

}  // namespace tidegate::config
