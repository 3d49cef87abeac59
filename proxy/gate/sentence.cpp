#include "gate/sentence.h"

#include <cstdio>

namespace tidegate::gate {
namespace {

/// Without trailing zeros: 1, 0.6, 12.25.
std::string number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  std::string out = text;
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out;
}

std::string percent(double share) { return number(share * 100.0, 4) + " %"; }

std::string duration(double seconds) {
  if (seconds >= 2 * 86'400.0) return number(seconds / 86'400.0, 1) + " d";
  if (seconds >= 2 * 3'600.0) return number(seconds / 3'600.0, 1) + " h";
  if (seconds >= 2 * 60.0) return number(seconds / 60.0, 1) + " min";
  return number(seconds, seconds < 10.0 ? 2 : 1) + " s";
}

std::string of(std::uint64_t failures, std::uint64_t total) {
  return std::to_string(failures) + " of " + std::to_string(total);
}

std::string budget(const Parameters& p) {
  const double share = p.false_revert_budget * p.stream_share;
  std::string out = "false-revert budget " + percent(share);
  if (p.budget_period_s == 86'400.0) return out + " a day";
  if (p.budget_period_s == 3'600.0) return out + " an hour";
  if (p.budget_period_s == 7 * 86'400.0) return out + " a week";
  return out + " in " + duration(p.budget_period_s);
}

/// "new failed 12 of 60 requests in 0.6 s, old 0 of 60 in the same time"; of the slow stream "new was slower than 500 ms
/// in 12 of 60 requests in ..."
std::string both(const Window& window, const Parameters& p) {
  const Counts& c = window.counts;
  std::string out = stream_of(p) == Stream::Slow ? "new was slower than " + duration(p.slow_over_s) + " in " : "new failed ";
  out += of(c.new_failures, c.new_total);
  out += (c.new_total == 1 ? " request in " : " requests in ") + duration(window.seconds);
  return out + (c.old_total == 0 ? ", old had no requests in the same time"
                                 : ", old " + of(c.old_failures, c.old_total) + " in the same time");
}

std::string threshold(const Parameters& p) { return "threshold " + percent(p.max_error_rate); }

/// What worse_than_old and promote are measured by.
std::string allowance(const Parameters& p) {
  return number(p.baseline_factor, 4) + " x old + " + percent(p.comparison_margin);
}

std::string breaker(const BreakerParameters& b) {
  std::string out = "breaker " + percent(b.share) + " of " + std::to_string(b.requests) + " requests";
  return b.for_s > 0.0 ? out + " for " + duration(b.for_s) : out;
}

}  // namespace

std::string sentence(const Ruling& ruling, const Parameters& p) {
  const Window& alarm = ruling.window ? *ruling.window : ruling.step;
  switch (ruling.reason) {
    case Reason::Observing:
      return "observing: " + both(ruling.step, p) + ", " + threshold(p);
    case Reason::NoData:
      return "no data: new had no request for " + duration(ruling.silent_s);
    case Reason::HardBreaker:
      return both(alarm, p) + ", " + breaker(p.breaker);
    case Reason::ErrorRate:
    case Reason::SlowRate:
      return both(alarm, p) + ", " + threshold(p) + ", " + budget(p);
    case Reason::Attribution:
      return "attribution: " + both(alarm, p) + ", " + threshold(p) + "; waiting for old's data for at most " +
             duration(p.attribution_grace_s);
    case Reason::SharedDegradation:
      return "shared degradation: " + both(alarm, p) + ", " + threshold(p) +
             (stream_of(p) == Stream::Slow ? "; held because old is slow too" : "; held because old fails too");
    case Reason::WorseThanOld:
      return "worse than old: " + both(ruling.step, p) + ", more than " + allowance(p) + ", " + threshold(p);
    case Reason::Promote:
      return "promote: " + both(ruling.step, p) +
             (ruling.step.counts.old_total == 0 || !p.use_baseline
                  ? ", below the " + threshold(p)
                  : ", not worse than old + " + percent(p.comparison_margin)) +
             ", promote error " + percent(p.promote_error);
  }
  return {};
}

}  // namespace tidegate::gate
