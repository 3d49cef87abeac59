#include "cli/status_view.h"

#include <boost/json.hpp>
#include <cstdio>

#include "cli/json_text.h"
#include "cli/rollout_text.h"
#include "cli/table.h"
#include "cli/time_text.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kLabel = 10;  // "  weight  "

std::string weight_line(const json::value& route) {
  const std::string wanted = percent_text(at(route, {"weight", "wanted"}));
  const std::string effective = percent_text(at(route, {"weight", "effective"}));
  const std::string file = percent_text(at(route, {"weight", "file"}));
  std::string out = wanted + " of requests go to new";
  if (effective != wanted) out = "wanted " + wanted + ", effective " + effective;
  return file == wanted ? out + " (as in the file)" : out + " (the file says " + file + ")";
}

Tone tone_of(const std::string& verdict) {
  if (verdict == "pass") return Tone::Good;
  return verdict == "fail" || verdict == "error" ? Tone::Bad : Tone::Plain;
}

std::string gate_line(const json::value& route) {
  std::string out = text_at(route, {"gate", "verdict"});
  const std::string on_fail = text_at(route, {"gate", "on_fail"});
  if (!on_fail.empty() && on_fail != "revert") out += " (on_fail: " + on_fail + ", reverts nothing)";
  if (true_at(route, {"gate", "old_suspect"})) out += " (old is failing, too)";
  return out + " - " + text_at(route, {"gate", "sentence"});
}

/// "4.5 of 8.7": the evidence, and where it is taken as proof.
std::string evidence(const json::value& stream, std::string_view statistic, std::string_view threshold) {
  const auto text = [](const json::value& value) -> std::string {
    if (!value.is_number()) return "-";
    char out[40];
    std::snprintf(out, sizeof out, "%.1f", value.to_number<double>());
    return out;
  };
  return text(at(stream, {"statistics", statistic})) + " of " + text(at(stream, {"thresholds", threshold}));
}

/// Each stream of the gate with its evidence; empty for a server that has none.
std::string evidence_table(const json::value& route) {
  const auto* streams = at(route, {"gate", "streams"}).if_object();
  if (streams == nullptr || streams->empty()) return {};
  Table table(std::vector<Table::Align>(6, Table::Align::Left));
  table.row({"stream", "verdict", "new too high", "old too high", "new worse", "not worse"});
  for (const auto& [name, stream] : *streams) {
    table.row({printable(std::string(name)), printable(text_at(stream, {"verdict"})), evidence(stream, "s_new", "h_new"),
               evidence(stream, "s_old", "h_old"), evidence(stream, "s_rel", "h_rel"), evidence(stream, "s_prom", "h_prom")});
  }
  return table.text(2);
}

std::string mirror_line(const json::value& mirror) {
  std::string reasons;
  double dropped = 0;
  if (const auto* counts = at(mirror, {"dropped"}).if_object()) {
    for (const auto& [reason, count] : *counts) {
      const double value = count.is_number() ? count.to_number<double>() : 0;
      const std::string why = reason == "percent" ? "not in the sample" : std::string(reason);
      if (value > 0) reasons += (reasons.empty() ? "" : ", ") + why + ' ' + plain_text(count);
      dropped += value;
    }
  }
  std::string out = percent_text(at(mirror, {"percent"}));
  const std::string file = percent_text(at(mirror, {"file"}));
  if (file != out) out += " (the file says " + file + ")";
  out += ": received " + plain_text(at(mirror, {"received"})) + ", mirrored " + plain_text(at(mirror, {"mirrored"}));
  out += ", dropped " + plain_text(json::value(dropped));
  if (!reasons.empty()) out += " (" + reasons + ")";
  return out + ", in flight " + plain_text(at(mirror, {"in_flight"}));
}

std::string milliseconds(const json::value& value) {
  if (!value.is_number()) return "-";
  const double ms = value.to_number<double>();
  char text[40];
  std::snprintf(text, sizeof text, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
  return text;
}

std::string failures_cell(const json::value& side, std::string_view what, std::string_view among, const ViewStyle& style) {
  const double failures = number_at(side, {what});
  const double all = number_at(side, {among});
  if (at(side, {what}).is_null()) return "-";  // an older server
  std::string out = plain_text(at(side, {what}));
  if (failures > 0 && all > 0) {
    char share[40];
    std::snprintf(share, sizeof share, " (%.2f %%)", 100.0 * failures / all);
    out += share;
  }
  return paint(style.color, failures > 0 ? Tone::Warn : Tone::Plain, out);
}

std::string attempts_cell(const json::value& side) {
  return at(side, {"attempts"}).is_null() ? "-" : plain_text(at(side, {"attempts"}));
}

/// What answered clients, and what was asked of the side: a request that the other side saved is a failed attempt of this one.
std::string traffic_table(const json::value& route, const ViewStyle& style) {
  using Align = Table::Align;
  Table table({Align::Left, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right});
  table.row({"side", "cluster", "requests", "failures", "attempts", "failed", "p50", "p99"});
  for (const std::string_view side : {std::string_view("old"), std::string_view("new")}) {
    const json::value& traffic = at(route, {"traffic", side});
    table.row({std::string(side), printable(text_at(route, {"clusters", side})), plain_text(at(traffic, {"requests"})),
               failures_cell(traffic, "failures", "requests", style), attempts_cell(traffic),
               failures_cell(traffic, "failed_attempts", "attempts", style), milliseconds(at(traffic, {"p50_ms"})),
               milliseconds(at(traffic, {"p99_ms"}))});
  }
  return table.text(2);
}

struct StateCell {
  std::string text;
  Tone tone;
};

StateCell state_of(const json::value& endpoint, bool checked) {
  const std::string state = text_at(endpoint, {"state"});
  if (state == "healthy") return {checked ? "healthy" : "in use, not checked", Tone::Good};
  return {printable(state), state == "unhealthy" ? Tone::Bad : Tone::Warn};
}

/// Each address that requests may go to; what keeps one from them stands below.
std::string clusters_table(const json::value& status, const ViewStyle& style) {
  const auto* clusters = at(status, {"clusters"}).if_array();
  if (clusters == nullptr || clusters->empty()) return {};
  Table table(std::vector<Table::Align>(5, Table::Align::Left));
  std::string reasons;
  table.row({"cluster", "endpoint", "address", "state", "since"});
  for (const json::value& cluster : *clusters) {
    const auto* endpoints = at(cluster, {"endpoints"}).if_array();
    if (endpoints == nullptr) continue;
    for (const json::value& one : *endpoints) {
      const StateCell state = state_of(one, true_at(cluster, {"checked"}));
      const std::string endpoint = printable(text_at(one, {"endpoint"}));
      const std::string address = printable(text_at(one, {"address"}));
      const auto since = wall_ms_of(text_at(one, {"since"}));
      table.row({printable(text_at(cluster, {"name"})), endpoint, address.empty() ? "-" : address == endpoint ? "" : address,
                 paint(style.color, state.tone, state.text), since ? moment_text(*since) : ""});
      const std::string why = text_at(one, {"why"});
      if (why.empty()) continue;
      reasons += "  " + wrapped((address.empty() ? endpoint : address) + ": " + printable(why), 4, style.columns) + '\n';
    }
  }
  return '\n' + table.text() + reasons;
}

std::string heading(const json::value& status, const ViewStyle& style) {
  const bool ready = true_at(status, {"ready"});
  std::string out =
      "tidegate " + printable(text_at(status, {"version"})) + ", epoch " + plain_text(at(status, {"epoch"})) + ", ";
  out += paint(style.color, ready ? Tone::Good : Tone::Warn, ready ? "ready" : "not ready") + '\n';
  if (!true_at(status, {"store", "healthy"})) {
    const std::string text = "the store fails: " + printable(text_at(status, {"store", "last_error"})) + " (" +
                             plain_text(at(status, {"store", "pending"})) + " decisions are not durable)";
    out += paint(style.color, Tone::Bad, wrapped(text, 0, style.columns)) + '\n';
  }
  return out;
}

}  // namespace

std::string percent_text(const json::value& percent) { return (percent.is_null() ? "?" : plain_text(percent)) + " %"; }

std::string route_view(const json::value& route, const ViewStyle& style) {
  const std::string name = printable(text_at(route, {"name"}));
  std::string out = paint(style.color, Tone::Bold, name) + "  (epoch " + plain_text(at(route, {"epoch"})) + ")\n";
  out += labelled("weight", weight_line(route), kLabel, style);
  if (true_at(route, {"latched"})) {
    out += labelled("latched", text_at(route, {"latch_reason"}), kLabel, style, Tone::Bad);
    out += labelled("", "open it: tidegate rearm " + name, kLabel, style, Tone::Dim);
  } else {
    out += labelled("gate", gate_line(route), kLabel, style, tone_of(text_at(route, {"gate", "verdict"})));
  }
  if (const json::value& mirror = at(route, {"mirror"}); !mirror.is_null()) {
    out += labelled("mirror", mirror_line(mirror), kLabel, style);
  }
  if (const auto rollout = read_rollout(route)) {
    out += labelled("rollout", rollout_line(*rollout), kLabel, style);
  }
  return out + evidence_table(route) + traffic_table(route, style);
}

std::string status_view(const json::value& status, const ViewStyle& style) {
  std::string out = heading(status, style);
  if (const auto* routes = at(status, {"routes"}).if_array()) {
    for (const json::value& route : *routes) out += '\n' + route_view(route, style);
  }
  return out + clusters_table(status, style);
}

}  // namespace tidegate::cli
