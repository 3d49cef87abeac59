// The gate in virtual time: the real code of proxy/gate against simulated traffic, beside the sliding window that it replaces.
// Prints the tables of bench/README.md. The same seed prints the same tables.
//   simulate [--quick] [--seed N] [--only false-reverts|detection|slow|shared|promise] [--days N]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "simulate/at_threshold.h"
#include "simulate/scenario.h"
#include "simulate/traffic.h"

namespace tidegate::simulate {
namespace {

struct Size {
  int days = 20;               // of each false-revert cell
  int runs = 200;              // of each detection cell
  int threshold_days = 400;    // of each rate
  std::uint64_t seed = 1;
};

std::vector<NamedRule> rules() {
  return {naive_rule("window 10 s, min 20", 10.0, 20), naive_rule("window 60 s, min 50", 60.0, 50),
          gate_rule("gate, burst_tolerance 0s", 0.0), gate_rule("gate (default)", 2.0)};
}

std::string figure(double value) {
  char text[40];
  if (value >= 10'000) {
    std::snprintf(text, sizeof text, "%.0fk", value / 1'000);
  } else {
    std::snprintf(text, sizeof text, value >= 100 ? "%.0f" : "%.3g", value);
  }
  return text;
}

// --- false reverts

struct Quiet {
  std::string name;
  double rps;
  Course course;
  double days = 1.0;  // of Size::days
};

struct FalseReverts {
  int days = 0;
  int days_with = 0;
  int reverts = 0;
};

/// After a revert the rule starts anew, as after `rearm`.
FalseReverts count_false_reverts(const NamedRule& rule, const Quiet& scenario, int days, std::uint64_t seed) {
  FalseReverts out;
  Traffic traffic(scenario.rps, scenario.rps, kTick, seed);
  const auto ticks = static_cast<std::int64_t>(kDay / kTick);
  for (out.days = 0; out.days < days; ++out.days) {
    std::unique_ptr<Rule> now = rule.make();
    int today = 0;
    for (std::int64_t i = 0; i < ticks; ++i) {
      const Rates rates = scenario.course(static_cast<double>(i) * kTick);
      if (!now->tick({traffic.tick(rates.new_failing, rates.old_failing), {}})) continue;
      ++today;
      now = rule.make();
    }
    out.reverts += today;
    out.days_with += today > 0;
  }
  return out;
}

void print_false_reverts(const Size& size) {
  const std::vector<Quiet> scenarios{
      {"healthy, 0.1 %, 10 rps", 10, steady(0.001, 0.001)},
      {"healthy, 0.1 %, 1000 rps", 1000, steady(0.001, 0.001)},
      {"healthy, 0.5 %, 10 rps", 10, steady(0.005, 0.005)},
      {"healthy, 0.5 %, 1000 rps", 1000, steady(0.005, 0.005)},
      {"new at 1 % = threshold, 100 rps", 100, steady(0.01, 0.001)},
      {"1 s bursts of 20 % on new, every 90 s, 100 rps", 100, bursts(1.0, 90.0, 0.2, false), 0.5},
      {"the same on both sides", 100, bursts(1.0, 90.0, 0.2, true), 0.5},
      {"both 3 % always, 100 rps", 100, steady(0.03, 0.03), 0.25},
  };
  std::printf("### False reverts: of days, and of steps of 30 minutes\n\n| scenario, on each side |");
  for (const NamedRule& rule : rules()) std::printf(" %s |", rule.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < rules().size(); ++i) std::printf("---|");
  std::printf("\n");
  for (const Quiet& scenario : scenarios) {
    const int days = std::max(1, static_cast<int>(size.days * scenario.days));
    std::printf("| %s |", scenario.name.c_str());
    for (const NamedRule& rule : rules()) {
      const FalseReverts seen = count_false_reverts(rule, scenario, days, size.seed);
      const double a_step = 1.0 - std::exp(-static_cast<double>(seen.reverts) / seen.days / 48.0);
      std::printf(" %d of %d, %s |", seen.days_with, seen.days, figure(a_step).c_str());
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  std::printf("\n");
}

// --- detection

struct Fault {
  double failing;
  double rps;
};

struct Detection {
  int runs = 0;
  int before = 0;  // reverted in the two hours of health
  int never = 0;   // not within half an hour
  std::vector<double> seconds;
  double failures = 0.0;  // sum, until the revert
};

constexpr double kHealth = 7'200.0, kPatience = 1'800.0, kGround = 0.001;

/// @param slow the counts are those of the slow stream.
Detection detect(const NamedRule& rule, const Fault& fault, int runs, std::uint64_t seed, bool slow) {
  Detection out;
  Traffic traffic(fault.rps, fault.rps, kTick, seed);
  const auto counts = [&](double failing) {
    const gate::Counts of = traffic.tick(failing, kGround);
    return slow ? gate::StreamCounts{{of.new_total, 0, of.old_total, 0}, of} : gate::StreamCounts{of, {}};
  };
  for (; out.runs < runs; ++out.runs) {
    std::unique_ptr<Rule> now = rule.make();
    bool early = false;
    for (int i = 0; i < kHealth / kTick && !early; ++i) early = now->tick(counts(kGround));
    if (early) {
      ++out.before;
      continue;
    }
    double passed = 0.0, failures = 0.0;
    bool found = false;
    while (!found && passed < kPatience) {
      const gate::StreamCounts tick = counts(fault.failing);
      failures += static_cast<double>(slow ? tick.slow.new_failures : tick.errors.new_failures);
      passed += kTick;
      found = now->tick(tick);
    }
    out.never += !found;
    if (!found) continue;
    out.seconds.push_back(passed);
    out.failures += failures;
  }
  std::sort(out.seconds.begin(), out.seconds.end());
  return out;
}

std::string cell(const Detection& seen) {
  std::string out;
  if (seen.seconds.empty()) {
    out = "-";
  } else {
    const double median = seen.seconds[seen.seconds.size() / 2];
    const double most = seen.seconds[std::min(seen.seconds.size() - 1, seen.seconds.size() * 99 / 100)];
    out = figure(median) + " / " + figure(most) + " / " + figure(seen.failures / static_cast<double>(seen.seconds.size()));
  }
  if (seen.before > 0) out += " e" + std::to_string(100 * seen.before / seen.runs);
  if (seen.never > 0) out += " n" + std::to_string(100 * seen.never / seen.runs);
  return out;
}

void print_detection(const Size& size) {
  const std::vector<Fault> faults{{0.02, 100}, {0.05, 10}, {0.05, 100}, {0.05, 1000}, {0.2, 10},
                                  {0.2, 100},  {0.2, 1000}, {1.0, 1},    {1.0, 10},   {1.0, 1000}};
  std::printf("### A fault after two hours of health: median s / p99 s / failed requests until the revert\n\n| new fails, rps |");
  for (const NamedRule& rule : rules()) std::printf(" %s |", rule.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < rules().size(); ++i) std::printf("---|");
  std::printf("\n");
  for (const Fault& fault : faults) {
    std::printf("| %g %%, %g |", fault.failing * 100, fault.rps);
    for (const NamedRule& rule : rules()) {
      std::printf(" %s |", cell(detect(rule, fault, size.runs, size.seed, false)).c_str());
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  std::printf("\neN: N %% of the runs had reverted the healthy new before; nN: N %% had not within half an hour.\n\n");
}

void print_slow(const Size& size) {
  std::printf("### New becomes slow: `slow: {over: ..., max_rate: 5%%}`, the same figures\n\n| slower than `over` | 10 rps | 100 rps | 1000 rps |\n|---|---|---|---|\n");
  for (const double share : {0.1, 0.3, 0.8}) {
    std::printf("| %g %% |", share * 100);
    for (const double rps : {10.0, 100.0, 1000.0}) {
      std::printf(" %s |", cell(detect(slow_rule("slow"), {share, rps}, size.runs, size.seed, true)).c_str());
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  std::printf("\n");
}

/// Ten minutes in which both sides fail alike, after an hour of health.
void print_shared(const Size& size) {
  constexpr double kBefore = 3'600.0, kIncident = 600.0, kAfter = 600.0;
  std::printf("### Both sides fail alike for ten minutes: pointless reverts, of %d incidents (100 rps on each)\n\n| both fail |", size.runs);
  for (const NamedRule& rule : rules()) std::printf(" %s |", rule.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < rules().size(); ++i) std::printf("---|");
  std::printf("\n");
  for (const double failing : {0.02, 0.05, 0.2, 1.0}) {
    std::printf("| %g %% |", failing * 100);
    for (const NamedRule& rule : rules()) {
      int reverted = 0;
      Traffic traffic(100, 100, kTick, size.seed);
      for (int run = 0; run < size.runs; ++run) {
        std::unique_ptr<Rule> now = rule.make();
        bool done = false;
        for (double second = 0.0; second < kBefore + kIncident + kAfter && !done; second += kTick) {
          const bool incident = second >= kBefore && second < kBefore + kIncident;
          const double rate = incident ? failing : kGround;
          const bool reverts = now->tick({traffic.tick(rate, rate), {}});
          if (reverts && second < kBefore) now = rule.make();  // not what is counted here
          done = reverts && second >= kBefore;
        }
        reverted += done;
      }
      std::printf(" %d |", reverted);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  std::printf("\n");
}

// --- the promise

void print_at_threshold(const Size& size) {
  const std::vector<double> budgets{0.1, 0.01, 0.001};
  const std::vector<double> rates{1, 10, 100};
  std::printf("### The promise: new exactly at the threshold, weight 100 %%, ten steps a day\n\n"
              "| requests/s | days | budget 10 %% | budget 1 %% | budget 0.1 %% |\n|---|---|---|---|---|\n");
  AtThreshold all{0, std::vector<int>(budgets.size())};
  const auto row = [&](const std::string& name, const AtThreshold& seen) {
    std::printf("| %s | %d |", name.c_str(), seen.days);
    for (const int days : seen.reverted) std::printf(" %d days, %s |", days, figure(100.0 * days / seen.days).append(" %").c_str());
    std::printf("\n");
    std::fflush(stdout);
  };
  for (const double rps : rates) {
    const AtThreshold seen = days_at_threshold(size.threshold_days, rps, budgets, kTick, size.seed);
    row(figure(rps), seen);
    all.days += seen.days;
    for (std::size_t i = 0; i < budgets.size(); ++i) all.reverted[i] += seen.reverted[i];
  }
  row("all", all);
  std::printf("\n");
}

struct Table {
  std::string_view name;
  void (*print)(const Size&);
};
constexpr Table kTables[] = {{"false-reverts", print_false_reverts},
                             {"detection", print_detection},
                             {"slow", print_slow},
                             {"shared", print_shared},
                             {"promise", print_at_threshold}};

int usage() {
  std::fputs("usage: simulate [--quick] [--seed N] [--only TABLE] [--days N]\n"
             "TABLE: false-reverts, detection, slow, shared, promise; --days: of each rate of the promise\n",
             stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Size size;
  std::string_view only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool last = i + 1 == argc;
    if (word == "--quick") {
      size = {2, 20, 5, size.seed};
    } else if (word == "--seed" && !last) {
      size.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--days" && !last) {
      size.threshold_days = std::max(1, std::atoi(argv[++i]));
    } else if (word == "--only" && !last) {
      only = argv[++i];
    } else {
      return usage();
    }
  }
  const auto wanted = [only](const Table& table) { return only.empty() || table.name == only; };
  if (std::none_of(std::begin(kTables), std::end(kTables), wanted)) return usage();
  std::printf("Tick %g s, seed %llu, weight 50 %% unless said, max_error_rate 1 %%, false_revert_budget 0.1 %% a day.\n\n", kTick,
              static_cast<unsigned long long>(size.seed));
  for (const Table& table : kTables) {
    if (wanted(table)) table.print(size);
  }
  return 0;
}

}  // namespace tidegate::simulate

int main(int argc, char** argv) { return tidegate::simulate::main(argc, argv); }
