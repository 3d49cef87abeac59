#include "forward/body_pump.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "forward/rewrite.h"
#include "http/h1_encode.h"

namespace tidegate::forward {

namespace {

constexpr std::size_t kCopied = 2048;        // bytes; a piece up to this is copied rather than sent as a part of its own
constexpr std::size_t kFramingBytes = 32;    // more than a chunk's header and the CRLF after its data need
constexpr std::uint64_t kSplicedFrom = 64 * 1024;   // bytes still to come; from 16 KiB on it was no better
constexpr std::size_t kSplicedAtOnce = net::PipePool::kPipeBytes;
constexpr std::size_t kSpliceWorth = 16 * 1024;     // bytes; what comes in smaller pieces goes back to copying

/// The parts of one send: pieces of the body with their chunk framing around them.
class Batch {
 public:
  explicit Batch(Buffer& staged) : staged_(staged) {
    if (!staged_.empty()) parts_[count_++] = {staged_.data(), staged_.size()};
  }
  void ensure() { staged_.ensure(); }
  bool has_room() const noexcept { return count_ + 3 <= parts_.size() && staged_.free_bytes() >= kFramingBytes; }
  bool empty() const noexcept { return count_ == 0; }
  /// Copies, and never moves what was staged before: has_room() was asked, or there is room for `bytes`.
  void stage(std::string_view bytes) noexcept {
    char* const to = staged_.free_space();
    staged_.append(bytes);
    if (count_ > 0 && end_of(parts_[count_ - 1]) == to) {
      parts_[count_ - 1].iov_len += bytes.size();
    } else {
      parts_[count_++] = {to, bytes.size()};
    }
  }
  void add(std::string_view data) noexcept {
    if (data.size() <= kCopied && staged_.free_bytes() >= data.size() + kFramingBytes) {
      stage(data);
    } else {
      parts_[count_++] = {const_cast<char*>(data.data()), data.size()};
    }
  }
  void add_chunk(std::string_view data) noexcept {
    stage(http::ChunkHeader(data.size()).text());
    add(data);
    stage(http::kCrlf);
  }
  std::span<const iovec> parts() const noexcept { return {parts_.data(), count_}; }
  /// Begins anew; what was staged needs no memory while the source is waited for.
  void clear() noexcept {
    count_ = 0;
    staged_.release();
  }

 private:
  static char* end_of(const iovec& part) noexcept { return static_cast<char*>(part.iov_base) + part.iov_len; }

  Buffer& staged_;
  std::array<iovec, net::Stream::kSendParts> parts_;
  std::size_t count_ = 0;
};

enum class Filled : std::uint8_t { NeedMore, Full, End, Refused, TooLong };

struct Fill {
  Filled result = Filled::NeedMore;
  std::size_t used = 0;   // bytes of `received` that the batch refers to or that were framing
  std::uint64_t data = 0;
};

/// @param end where the data ends in the body; what the tee has had of it is not fed again
void feed_tee(Pump& pump, std::string_view data, std::uint64_t end) {
  if (end <= pump.teed) return;
  data.remove_prefix(data.size() - static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), end - pump.teed)));
  pump.teed = end;
  pump.tee->feed(data);
}

/// Decodes what was received into the batch, until it is full or there is nothing more.
Fill fill(Pump& pump, Batch& batch) {
  Fill out;
  const std::string_view all = pump.received.view().substr(pump.kept);
  for (;;) {
    if (!batch.has_room()) {
      out.result = Filled::Full;
      return out;
    }
    const http::BodyStep step = pump.decoder.next(all.substr(out.used));
    out.used += step.consumed;
    switch (step.event) {
      case http::BodyEvent::NeedMore:
        if (pump.source_frames == nullptr || !pump.source_frames->body_ended() || !pump.decoder.end_of_stream()) return out;
        continue;  // the end goes with the bytes before it
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
    if (pump.tee != nullptr) feed_tee(pump, step.data, pump.bytes + out.data);
  }
}

/// Gives `send` the trailers that the route has no say about. Not in the pump itself, whose frame would hold the list.
template <class F>
void with_trailers(const Pump& pump, F&& send) {
  const http::FieldList* const received = pump.trailers();
  if (received == nullptr || pump.edits == nullptr) return send(received);
  http::FieldList kept = *received;
  kept.drop_if([&](const http::Field& field) { return is_edited(*pump.edits, kept.name(field)); });
  send(&kept);
}

/// The last chunk, with the trailers that may travel. has_room() holds: fill() stops before the batch is full.
void end_chunks(Pump& pump, Batch& batch, Buffer& trailers) {
  const http::FieldList* const received = pump.trailers();
  if (received == nullptr) {
    batch.stage(http::kLastChunk);
    return;
  }
  with_trailers(pump, [&](const http::FieldList* list) { http::encode_last_chunk(trailers, list); });
  batch.add(trailers.view());
}

PumpEnd sink_end(net::IoStatus status) noexcept {
  switch (status) {
    case net::IoStatus::TimedOut: return PumpEnd::SinkTimedOut;
    case net::IoStatus::Canceled: return PumpEnd::Canceled;
    default: return PumpEnd::SinkEnded;
  }
}

PumpEnd source_end(net::IoStatus status) noexcept {
  switch (status) {
    case net::IoStatus::TimedOut: return PumpEnd::SourceTimedOut;
    case net::IoStatus::Canceled: return PumpEnd::Canceled;
    default: return PumpEnd::SourceEnded;
  }
}

/// Nothing but the connections needs to see the rest of the body, and there is much of it. The bound on its length was
/// held against the head.
bool is_spliceable(const Pump& pump) noexcept {
  return pump.decoder.plain_left() >= kSplicedFrom && !pump.chunked && pump.keep == 0 && pump.tee == nullptr && pump.sink_frames == nullptr &&
         pump.source.splices() && pump.sink.splices();
}

/// Moves the rest of the body through a pipe, for as long as it comes in large pieces. @return how the pump ended, or
/// nothing: it goes on by copying, from what is in `received` on.
Task<std::optional<PumpEnd>> splice(Pump& pump) {
  net::SplicePipe pipe(pump.source.reactor().pipes());
  pump.received.release();
  std::size_t moved = kSpliceWorth;
  while (moved >= kSpliceWorth && pump.decoder.plain_left() > 0) {
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(pump.decoder.plain_left(), kSplicedAtOnce));
    const net::IoResult read = co_await pump.source.read(pipe, most, pump.source_timeout);
    if (read.status == net::IoStatus::NotSpliced) co_return std::nullopt;
    if (read.status == net::IoStatus::TimedOut && pump.waits_on()) continue;
    pump.source_is_silent = false;
    if (read.status != net::IoStatus::Ok) co_return source_end(read.status);
    const net::IoResult sent = co_await pump.sink.send(pipe, pump.sink_timeout);
    pump.bytes += sent.bytes;
    pump.consumed = true;
    pump.decoder.pass(sent.bytes);
    if (sent.status == net::IoStatus::NotSpliced) {
      if (!pipe.empty_to(pump.received)) co_return PumpEnd::SinkEnded;
      co_return std::nullopt;
    }
    if (sent.status != net::IoStatus::Ok) co_return sink_end(sent.status);
    moved = read.bytes;
  }
  if (pump.decoder.plain_left() == 0) pump.source.look_for_more();
  co_return std::nullopt;
}

}  // namespace

namespace {

/// To a sink that frames messages by itself, before the send of what is in the batch: the head once, and the end.
/// @return whether there is something to be sent, be it only the end.
bool hand_over(Pump& pump, bool ended, bool has_data) {
  bool something = has_data;
  if (!pump.begun) {
    pump.begun = true;
    pump.sink_frames->send_head(pump.staged, ended && !has_data && pump.trailers() == nullptr);
    pump.staged.release();
  }
  if (ended) {
    with_trailers(pump, [&](const http::FieldList* list) { pump.sink_frames->finish(list); });
    something = true;
  }
  return something;
}

}  // namespace

void Pump::pass(std::size_t sent) noexcept {
  kept += sent;
  if (kept > keep) forget();
}

bool Pump::waits_on() noexcept {
  source_is_silent = true;
  return is_patient || (beside != nullptr && std::exchange(beside_bytes, beside->bytes) != beside->bytes);
}

void Pump::forget() noexcept {
  if (kept > 0) {
    received.consume(kept);
    consumed = true;
  }
  kept = keep = 0;
}

Task<PumpEnd> run(Pump& pump) {
  Buffer pieces(pump.source.reactor().blocks(), BlockSize::Small);  // beside the head, where that is handed over apart
  Batch batch(pump.sink_frames == nullptr ? pump.staged : pieces);
  bool ended = false;
  net::Expect expected = net::Expect::Little;
  if (pump.source_frames != nullptr && pump.received.empty() && pump.source_frames->has_data()) {
    const net::IoResult read = co_await pump.source.read(pump.received, pump.source_timeout);  // there already: it goes with the head
    if (read.status != net::IoStatus::Ok) co_return source_end(read.status);
  }
  while (!ended) {
    batch.ensure();
    const Fill filled = fill(pump, batch);
    if (filled.result == Filled::Refused) co_return PumpEnd::SourceRefused;
    if (filled.result == Filled::TooLong) co_return PumpEnd::SourceTooLong;
    ended = filled.result == Filled::End;
    Buffer trailers(pump.source.reactor().blocks());
    if (ended && pump.chunked) end_chunks(pump, batch, trailers);
    bool sends = !batch.empty();
    if (pump.sink_frames != nullptr) sends = hand_over(pump, ended, sends);
    if (sends) {
      pump.begun = true;
      const net::IoResult sent = co_await pump.sink.send(batch.parts(), pump.sink_timeout);
      if (sent.status != net::IoStatus::Ok) co_return sink_end(sent.status);
      pump.bytes += filled.data;
      batch.clear();
      if (pump.tee != nullptr) pump.tee->push();
    } else {
      batch.clear();  // half of a chunk's header needs no memory to wait for the rest
    }
    pump.pass(filled.used);
    if (ended || filled.result == Filled::Full) continue;
    if (expected == net::Expect::Much && is_spliceable(pump)) {
      const std::optional<PumpEnd> end = co_await splice(pump);
      if (end) co_return *end;
      if (pump.decoder.done() || !pump.received.empty()) continue;
    }
    if (pump.keep != 0 && pump.received.size() >= pump.keep) pump.forget();  // more will come than is kept
    net::IoResult read = co_await pump.source.read(pump.received, pump.source_timeout, expected);
    while (read.status == net::IoStatus::TimedOut && pump.waits_on()) {
      read = co_await pump.source.read(pump.received, pump.source_timeout, expected);
    }
    pump.source_is_silent = read.status == net::IoStatus::TimedOut;
    switch (read.status) {
      case net::IoStatus::Ok: expected = pump.received.free_bytes() == 0 ? net::Expect::Much : net::Expect::Little; break;
      case net::IoStatus::Eof:
        if (!pump.decoder.end_of_stream()) co_return PumpEnd::SourceEnded;
        break;  // the next turn finds the end
      default: co_return source_end(read.status);
    }
  }
  if (pump.received.empty()) pump.received.release();  // the answer may be long in coming
  co_return PumpEnd::Complete;
}

}  // namespace tidegate::forward
