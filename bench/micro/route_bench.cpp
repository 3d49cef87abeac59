// Finding the route of a request among 1, 10 and 1,000: by host and by prefix, with the last one asked for (the worst), and
// when none matches. PRODUCT §6: the cost must not grow with the number of routes in hosts or prefixes.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/h1_head.h"
#include "route/snapshot.h"

namespace tidegate::bench {
namespace {

enum class By { Host, Prefix };

std::string host(std::size_t i) { return "shop-" + std::to_string(i) + ".example.org"; }
std::string prefix(std::size_t i) { return "/service-" + std::to_string(i) + "/api"; }

route::Snapshot routes(By by, std::size_t count) {
  std::vector<route::Route> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    all[i].index = i;
    if (by == By::Host) {
      all[i].policy.match.hosts = {host(i)};
    } else {
      all[i].policy.match.path = {route::PathMatch::Kind::Prefix, prefix(i)};
    }
  }
  return route::Snapshot(std::move(all));
}

/// Looks up number `which` of `state.range(0)` routes; that many itself is one that is not there.
void find(benchmark::State& state, By by, bool there) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const route::Snapshot snapshot = routes(by, count);
  const std::size_t which = there ? count - 1 : count;
  const std::string text = "GET " + (by == By::Prefix ? prefix(which) + "/items" : std::string("/items")) +
                           " HTTP/1.1\r\nHost: " + (by == By::Host ? host(which) : std::string("example.org")) + "\r\n\r\n";
  http::RequestHeadDecoder decoder({});
  const auto request = std::make_unique<http::RequestHead>();
  decoder.reset();
  decoder.feed(text, *request);
  for (auto _ : state) {
    const route::Route* found = snapshot.find(*request);
    if ((found != nullptr) != there) state.SkipWithError("not the route that was asked for");
    benchmark::DoNotOptimize(found);
  }
}
BENCHMARK_CAPTURE(find, host, By::Host, true)->Name("Route/Find/host_last_of")->Arg(1)->Arg(10)->Arg(1000);
BENCHMARK_CAPTURE(find, host_none, By::Host, false)->Name("Route/Find/host_none_of")->Arg(1)->Arg(10)->Arg(1000);
BENCHMARK_CAPTURE(find, prefix, By::Prefix, true)->Name("Route/Find/prefix_last_of")->Arg(1)->Arg(10)->Arg(1000);
BENCHMARK_CAPTURE(find, prefix_none, By::Prefix, false)->Name("Route/Find/prefix_none_of")->Arg(1)->Arg(10)->Arg(1000);

}  // namespace
}  // namespace tidegate::bench
