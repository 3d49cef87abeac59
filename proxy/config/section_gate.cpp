#include <algorithm>
#include <array>
#include <charconv>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using gate::BreakerParameters;
using gate::ErrorRule;
using gate::Parameters;
using gate::SlowRule;

constexpr std::array kBreakerFields{
    Field<BreakerParameters>{"share",
                             [](In v, BreakerParameters& out) { read_share(v, out.share, {"50%", "100%"}); }},
    Field<BreakerParameters>{"requests",
                             [](In v, BreakerParameters& out) { read_integer(v, out.requests, {"1", "1000000"}); }},
    Field<BreakerParameters>{"for", [](In v, BreakerParameters& out) { read_seconds(v, out.for_s, {"0s", "60s"}); }},
};
constexpr Section<BreakerParameters> kBreaker{"routes[].gate.breaker", kBreakerFields};

// The least `over` is the tick of a worker's timers: below it the clock says nothing.
constexpr std::array kSlowFields{
    Field<SlowRule>{"over", [](In v, SlowRule& out) { read_seconds(v, out.over_s, {"10ms", "5m"}); }},
    Field<SlowRule>{"max_rate", [](In v, SlowRule& out) { read_share(v, out.max_rate, {"0.01%", "25%"}); }},
    Field<SlowRule>{"margin", [](In v, SlowRule& out) { read_share(v, out.margin, {"0.001%", "25%"}); }},
};
constexpr Section<SlowRule> kSlow{"routes[].gate.slow", kSlowFields};

/// The margin of the rule is two fifths of its rate (gate/README §3.4: 2 % of 5 %).
constexpr double kSlowMargin = 0.4;

void read_slow(const Value& value, Route& out) {
  SlowRule& slow = out.slow.emplace();
  if (!read_section(value, kSlow, slow)) return;
  if (!value.has("margin")) slow.margin = slow.max_rate * kSlowMargin;
}

/// "grpc:13": a status code of gRPC. @return false when the text is none of that form, which others may read.
bool read_grpc_code(const Value& item, std::string_view text, ErrorRule& out) {
  constexpr std::string_view kPrefix = "grpc:";
  if (!text.starts_with(kPrefix)) return false;
  std::uint32_t code = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + kPrefix.size(), end, code);
  const bool good = read.ec == std::errc() && read.ptr == end && code > 0 && code <= gate::kHighestGrpcCode;
  if (!good) {
    item.fail(in_quotes(text) + " is not a failure of gRPC: grpc:1 to grpc:" + std::to_string(gate::kHighestGrpcCode));
  } else {
    out.grpc |= gate::grpc_bit(code);
  }
  return true;
}

/// A status or another class than 5xx: it has a reason why it is not taken.
std::string about_status(std::string_view text) {
  const bool status = text.size() == 3 && text[0] >= '1' && text[0] <= '5';
  if (!status) return {};
  if (text[0] == '5') return "; 5xx is every status from 500 to 599, a single one cannot be chosen";
  return text[0] == '4' ? "; a 4xx is the client's own, never a failure of a side" : "; of the statuses only 5xx is a failure of a side";
}

void fail_error(const Value& item, std::string_view text, std::span<const std::string_view> words) {
  std::string list;
  for (const std::string_view word : words) list += std::string(word) + ", ";
  const std::string hint = about_status(text);
  item.fail(in_quotes(text) + " is not one of " + list + "grpc:1 to grpc:" + std::to_string(gate::kHighestGrpcCode) +
            (hint.empty() ? suggestion(text, words) : hint));
}

/// The list replaces the default as a whole.
void read_errors(const Value& value, Route& out) {
  using Member = bool ErrorRule::*;
  constexpr std::array<std::string_view, 4> kWords{"5xx", "connect", "timeout", "reset"};
  constexpr std::array<Member, 4> kMembers{&ErrorRule::server_errors, &ErrorRule::connect, &ErrorRule::timeout, &ErrorRule::reset};
  out.errors = {false, false, false, false, 0};
  read_list(value, [&](const Value& item) {
    const auto text = item.text("a word");
    if (!text || read_grpc_code(item, *text, out.errors)) return;
    const auto word = std::find(kWords.begin(), kWords.end(), *text);
    if (word == kWords.end()) return fail_error(item, *text, kWords);
    out.errors.*kMembers[static_cast<std::size_t>(word - kWords.begin())] = true;
  });
}

void read_on_fail(const Value& value, Route& out) {
  using gate::OnFail;
  constexpr std::array<Choice<OnFail>, 3> kActions{
      {{"revert", OnFail::Revert}, {"pause", OnFail::Pause}, {"notify", OnFail::Notify}}};
  read_choice(value, out.on_fail, kActions);
}

// Ranges: outside of them the rule's arithmetic loses its meaning (gate/README: 2 x max_error_rate is its lowest lane
// and must stay well below 0.9) or a slip of the unit is likelier than the wish.
constexpr std::array kFields{
    Field<Route>{"max_error_rate",
                 [](In v, Route& out) { read_share(v, out.gate.max_error_rate, {"0.01%", "25%"}); }},
    Field<Route>{"comparison_margin",
                 [](In v, Route& out) { read_share(v, out.gate.comparison_margin, {"0.001%", "25%"}); }},
    Field<Route>{"baseline_factor", [](In v, Route& out) { read_number(v, out.gate.baseline_factor, {"1", "100"}); }},
    Field<Route>{"false_revert_budget",
                 [](In v, Route& out) { read_share(v, out.gate.false_revert_budget, {"0.0001%", "10%"}); }},
    Field<Route>{"budget_period",
                 [](In v, Route& out) { read_seconds(v, out.gate.budget_period_s, {"10m", "365d"}); }},
    Field<Route>{"burst_tolerance",
                 [](In v, Route& out) { read_seconds(v, out.gate.burst_tolerance_s, {"0s", "5m"}); }},
    Field<Route>{"breaker", [](In v, Route& out) { read_section(v, kBreaker, out.gate.breaker); }},
    Field<Route>{"attribution_grace",
                 [](In v, Route& out) { read_seconds(v, out.gate.attribution_grace_s, {"0s", "5m"}); }},
    Field<Route>{"min_requests", [](In v, Route& out) { read_integer(v, out.gate.min_requests, {"1", "1000000"}); }},
    Field<Route>{"promote_error", [](In v, Route& out) { read_share(v, out.gate.promote_error, {"0.01%", "50%"}); }},
    Field<Route>{"no_data", [](In v, Route& out) { read_seconds(v, out.gate.no_data_s, {"1s", "1d"}); }},
    Field<Route>{"slow", read_slow},
    Field<Route>{"errors", read_errors},
    Field<Route>{"on_fail", read_on_fail},
};
constexpr Section<Route> kSection{"routes[].gate", kFields};

}  // namespace

void read_gate(const Value& value, Route& out) {
  if (!read_section(value, kSection, out)) return;
  if (!value.has("comparison_margin")) out.gate.comparison_margin = out.gate.max_error_rate / 2;
}

void append_gate_keys(KeyList& out) {
  kSection.append_keys(out);
  kBreaker.append_keys(out);
  kSlow.append_keys(out);
}

}  // namespace tidegate::config
