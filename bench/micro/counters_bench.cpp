// What a worker counts for a request: its status, its latency, its dispatch and failure for the gate.
#include <benchmark/benchmark.h>

#include <chrono>

#include "gate/counters.h"
#include "observe/counters.h"

namespace tidegate::bench {
namespace {

void status(benchmark::State& state) {
  observe::SideCounters counters;
  for (auto _ : state) {
    counters.add(http::Method::Get, 200);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(status)->Name("Counters/Status");

/// The argument is the latency in microseconds: a later bucket is found later.
void latency(benchmark::State& state) {
  observe::LatencyHistogram histogram;
  const Duration taken = std::chrono::microseconds(state.range(0));
  for (auto _ : state) {
    histogram.add(taken);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(latency)->Name("Counters/Latency")->Arg(300)->Arg(30'000)->Arg(3'000'000);

void dispatched(benchmark::State& state) {
  gate::Ledger ledger;
  for (auto _ : state) {
    ledger.dispatched(Side::New, 7);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(dispatched)->Name("Counters/Dispatched");

void failed(benchmark::State& state) {
  gate::Ledger ledger;
  ledger.dispatched(Side::New, 7);
  for (auto _ : state) {
    ledger.failed(Side::New, 7, 7);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(failed)->Name("Counters/Failed");

/// Control's side: one ledger in one tick.
void read_ledger(benchmark::State& state) {
  gate::Ledger ledger;
  ledger.dispatched(Side::New, 7);
  for (auto _ : state) benchmark::DoNotOptimize(ledger.read(7));
}
BENCHMARK(read_ledger)->Name("Counters/ReadLedger");

}  // namespace
}  // namespace tidegate::bench
