#include "forward/body_pump.h"

#include <array>

#include "http/h1_encode.h"

namespace tidegate::forward {

namespace {

/// The parts of one send: pieces of the body with their chunk framing around them.
class Batch {
 public:
  bool has_room() const noexcept { return count_ + 3 <= parts_.size() && chunks_ < headers_.size(); }
  bool empty() const noexcept { return count_ == 0; }
  void add(std::string_view bytes) noexcept {
    if (!bytes.empty()) parts_[count_++] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  void add_chunk(std::string_view data) noexcept {
    http::ChunkHeader& header = headers_[chunks_++];
    header = http::ChunkHeader(data.size());
    add(header.text());
    add(data);
    add(http::kCrlf);
  }
  std::span<const iovec> parts() const noexcept { return {parts_.data(), count_}; }
  void clear() noexcept { count_ = chunks_ = 0; }

 private:
  std::array<iovec, net::Stream::kSendParts> parts_;
  std::size_t count_ = 0;
  std::array<http::ChunkHeader, 5> headers_{http::ChunkHeader(0), http::ChunkHeader(0), http::ChunkHeader(0),
                                            http::ChunkHeader(0), http::ChunkHeader(0)};
  std::size_t chunks_ = 0;
};

enum class Filled : std::uint8_t { NeedMore, Full, End, Refused, TooLong };

struct Fill {
  Filled result = Filled::NeedMore;
  std::size_t used = 0;   // bytes of `received` that the batch refers to or that were framing
  std::uint64_t data = 0;
};

/// Decodes what was received into the batch, until it is full or there is nothing more.
Fill fill(Pump& pump, Batch& batch) {
  Fill out;
  const std::string_view all = pump.received.view();
  for (;;) {
    if (!batch.has_room()) {
      out.result = Filled::Full;
      return out;
    }
    const http::BodyStep step = pump.decoder.next(all.substr(out.used));
    out.used += step.consumed;
    switch (step.event) {
      case http::BodyEvent::NeedMore: return out;
      case http::BodyEvent::End: out.result = Filled::End; return out;
      case http::BodyEvent::Refused: out.result = Filled::Refused; return out;
      case http::BodyEvent::Data: break;
    }
    out.data += step.data.size();
    if (pump.most_bytes != 0 && pump.bytes + out.data > pump.most_bytes) {
      out.result = Filled::TooLong;
      return out;
    }
    if (pump.chunked) {
      batch.add_chunk(step.data);
    } else {
      batch.add(step.data);
    }
    if (pump.tee != nullptr) pump.tee->feed(step.data);
  }
}

PumpEnd sink_end(net::IoStatus status) noexcept {
  switch (status) {
    case net::IoStatus::TimedOut: return PumpEnd::SinkTimedOut;
    case net::IoStatus::Canceled: return PumpEnd::Canceled;
    default: return PumpEnd::SinkEnded;
  }
}

}  // namespace

Task<PumpEnd> run(Pump& pump) {
  Batch batch;
  Buffer last_chunk(pump.source.reactor().blocks());
  batch.add(pump.prefix);
  bool ended = false;
  while (!ended) {
    const Fill filled = fill(pump, batch);
    if (filled.result == Filled::Refused) co_return PumpEnd::SourceRefused;
    if (filled.result == Filled::TooLong) co_return PumpEnd::SourceTooLong;
    ended = filled.result == Filled::End;
    if (ended && pump.chunked) {
      if (pump.decoder.trailers() == nullptr) {
        batch.add(http::kLastChunk);
      } else {
        http::encode_last_chunk(last_chunk, pump.decoder.trailers());
        batch.add(last_chunk.view());
      }
    }
    if (!batch.empty()) {
      pump.prefix_sent = true;
      const net::IoResult sent = co_await pump.sink.send(batch.parts(), pump.sink_timeout);
      if (sent.status != net::IoStatus::Ok) co_return sink_end(sent.status);
      pump.bytes += filled.data;
      batch.clear();
      if (pump.tee != nullptr) pump.tee->push();
    }
    pump.received.consume(filled.used);
    if (ended || filled.result == Filled::Full) continue;
    pump.received.reserve(1);
    char* space = pump.received.free_space();
    const net::IoResult read = co_await pump.source.read(space, pump.received.free_bytes(), pump.source_timeout);
    switch (read.status) {
      case net::IoStatus::Ok: pump.received.commit(read.bytes); break;
      case net::IoStatus::TimedOut: co_return PumpEnd::SourceTimedOut;
      case net::IoStatus::Canceled: co_return PumpEnd::Canceled;
      case net::IoStatus::Reset: co_return PumpEnd::SourceEnded;
      case net::IoStatus::Eof:
        if (!pump.decoder.end_of_stream()) co_return PumpEnd::SourceEnded;
        break;  // the next turn finds the end
    }
  }
  co_return PumpEnd::Complete;
}

}  // namespace tidegate::forward
