// Reading and writing HTTP/1.1: heads whole and in two pieces, bodies in chunks of several sizes, heads written anew.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "forward/rewrite.h"
#include "heads.h"
#include "http/h1_body.h"
#include "http/h1_encode.h"
#include "http/h1_head.h"

namespace tidegate::bench {
namespace {

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void read_request(benchmark::State& state, std::string_view bytes) {
  http::RequestHeadDecoder decoder({});
  const auto head = std::make_unique<http::RequestHead>();
  for (auto _ : state) {
    decoder.reset();
    benchmark::DoNotOptimize(decoder.feed(bytes, *head));
  }
  count_bytes(state, bytes.size());
}
BENCHMARK_CAPTURE(read_request, Browser, kRequest)->Name("Codec/ReadRequestHead/browser");
BENCHMARK_CAPTURE(read_request, Small, kSmallRequest)->Name("Codec/ReadRequestHead/small");

void read_request_in_two(benchmark::State& state) {
  http::RequestHeadDecoder decoder({});
  const auto head = std::make_unique<http::RequestHead>();
  for (auto _ : state) {
    decoder.reset();
    benchmark::DoNotOptimize(decoder.feed(kRequest.substr(0, kRequest.size() / 2), *head));
    benchmark::DoNotOptimize(decoder.feed(kRequest, *head));
  }
  count_bytes(state, kRequest.size());
}
BENCHMARK(read_request_in_two)->Name("Codec/ReadRequestHead/browser_in_two_pieces");

void read_response(benchmark::State& state) {
  http::ResponseHeadDecoder decoder;
  const auto head = std::make_unique<http::ResponseHead>();
  for (auto _ : state) {
    decoder.reset(http::Method::Get);
    benchmark::DoNotOptimize(decoder.feed(kAnswer, *head));
  }
  count_bytes(state, kAnswer.size());
}
BENCHMARK(read_response)->Name("Codec/ReadResponseHead");

/// 64 KiB of data in chunks of the argument's size, as events.
void read_chunks(benchmark::State& state) {
  constexpr std::size_t kData = 64 * 1024;
  const auto size = static_cast<std::size_t>(state.range(0));
  std::string bytes;
  for (std::size_t sent = 0; sent < kData; sent += size) {
    bytes += http::ChunkHeader(size).text();
    bytes.append(size, 'd');
    bytes += http::kCrlf;
  }
  bytes += http::kLastChunk;
  http::BodyDecoder decoder;
  for (auto _ : state) {
    decoder.start(http::Framing::Chunked, 0);
    std::string_view rest = bytes;
    http::BodyStep step;
    do {
      step = decoder.next(rest);
      rest.remove_prefix(step.consumed);
      benchmark::DoNotOptimize(step.data.data());
    } while (step.event == http::BodyEvent::Data);
    if (step.event != http::BodyEvent::End) state.SkipWithError("the body did not come to its end");
  }
  count_bytes(state, bytes.size());
}
BENCHMARK(read_chunks)->Name("Codec/ReadChunks")->Arg(16)->Arg(1024)->Arg(16384);

void write_chunk_headers(benchmark::State& state) {
  std::uint64_t size = 1;
  for (auto _ : state) {
    const http::ChunkHeader header(size);
    benchmark::DoNotOptimize(header.text().data());
    size = size * 7 % 65521;
  }
}
BENCHMARK(write_chunk_headers)->Name("Codec/WriteChunkHeader");

void write_request(benchmark::State& state) {
  http::RequestHeadDecoder decoder({});
  const auto head = std::make_unique<http::RequestHead>();
  decoder.reset();
  decoder.feed(kRequest, *head);
  forward::RequestContext context;
  context.peer = "192.0.2.7";
  context.request_id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  context.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  BlockPool blocks;
  Buffer out(blocks);
  for (auto _ : state) {
    out.clear();
    forward::encode_request(out, *head, context);
    benchmark::DoNotOptimize(out.data());
  }
  count_bytes(state, out.size());
}
BENCHMARK(write_request)->Name("Codec/WriteRequestHead");

void write_response(benchmark::State& state) {
  http::ResponseHeadDecoder decoder;
  const auto head = std::make_unique<http::ResponseHead>();
  decoder.reset(http::Method::Get);
  decoder.feed(kAnswer, *head);
  BlockPool blocks;
  Buffer out(blocks);
  for (auto _ : state) {
    out.clear();
    forward::encode_response(out, *head, {});
    benchmark::DoNotOptimize(out.data());
  }
  count_bytes(state, out.size());
}
BENCHMARK(write_response)->Name("Codec/WriteResponseHead");

}  // namespace
}  // namespace tidegate::bench
