// The choice of a side: the next position of the worker's sequence, the route's live word, the comparison.
#include <benchmark/benchmark.h>

#include "route/live.h"
#include "route/split.h"

namespace tidegate::bench {
namespace {

void position(benchmark::State& state) {
  route::PositionSequence sequence;
  for (auto _ : state) benchmark::DoNotOptimize(sequence.next());
}
BENCHMARK(position)->Name("Split/NextPosition");

void live_word(benchmark::State& state) {
  route::LiveRoute live;
  live.publish({Weight::of_units(1000), 7, 9});
  for (auto _ : state) {
    const route::SplitState split = live.split();
    benchmark::DoNotOptimize(split.epoch);
  }
}
BENCHMARK(live_word)->Name("Split/LiveWord");

void choose(benchmark::State& state) {
  route::PositionSequence sequence;
  route::LiveRoute live;
  live.publish({Weight::of_units(static_cast<std::uint32_t>(state.range(0))), 7, 9});
  std::int64_t to_new = 0;
  for (auto _ : state) {
    const route::SplitState split = live.split();
    to_new += route::pick(sequence.next(), split.weight) == Side::New ? 1 : 0;
  }
  state.counters["to_new"] = static_cast<double>(to_new) / static_cast<double>(state.iterations());
}
BENCHMARK(choose)->Name("Split/ChooseSide")->Arg(0)->Arg(1000)->Arg(5000);

}  // namespace
}  // namespace tidegate::bench
