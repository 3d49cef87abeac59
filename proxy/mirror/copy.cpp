#include "mirror/copy.h"

#include <array>

#include "http/h1_encode.h"
#include "mirror/mirror.h"

namespace tidegate::mirror {

using observe::MirrorDrop;

namespace {
constexpr std::size_t kSpareBuffers = 8;  // what one send takes
}

Copy::Copy(Mirror& mirror, net::Reactor& reactor, upstream::Pool& pool)
    : head(reactor.blocks(), BlockSize::Small),
      mirror_(mirror),
      reactor_(reactor),
      pool_(pool),
      deadline_(&Copy::expired, this) {}

void Copy::begin(http::Method method) {
  method_ = method;
  chunked_ = complete_ = started_ = sender_done_ = false;
  source_open_ = true;
  dropped_.reset();
}

// --- the original's side

void Copy::open(bool chunked) { chunked_ = chunked; }

void Copy::start() {
  if (started_ || dropped_) return;
  started_ = true;
  reactor_.arm(deadline_, mirror_.policy_.timeout);
  sender_ = send();
  sender_.start(&Copy::sent, this);
}

void Copy::feed(std::string_view data) {
  if (dropped_ || sender_done_ || data.empty()) return;
  const http::ChunkHeader header(data.size());
  const std::size_t bytes = data.size() + (chunked_ ? header.text().size() + 2 : 0);
  if (!mirror_.charge(bytes)) {
    drop(MirrorDrop::Buffer);
    return;
  }
  charged_ += bytes;
  if (chunked_) pour(header.text());
  pour(data);
  if (chunked_) pour(http::kCrlf);
}

void Copy::push() {
  start();
  wake();
}

void Copy::end() {
  if (chunked_ && !dropped_ && !sender_done_) pour(http::kLastChunk);
  complete_ = true;
  push();
  source_done();
}

void Copy::abandon() {
  if (!complete_) drop(MirrorDrop::ClientAbort);
  source_done();
}

void Copy::source_done() {
  if (!source_open_) return;
  source_open_ = false;
  if (!started_) {
    started_ = true;
    if (!dropped_) dropped_ = MirrorDrop::Shutdown;  // never sent, for a reason that is not the mirror's
    sent(this);
  } else if (sender_done_) {
    mirror_.retire(*this);
  }
}

void Copy::pour(std::string_view bytes) {
  while (!bytes.empty()) {
    if (tee_.empty() || (tee_.back().has_memory() && tee_.back().free_bytes() == 0)) {
      if (spare_.empty()) spare_.emplace_back(reactor_.blocks());
      tee_.splice(tee_.end(), spare_, spare_.begin());
    }
    Buffer& last = tee_.back();
    last.ensure();
    const std::size_t take = std::min(bytes.size(), last.free_bytes());
    last.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
  }
}

/// Gives the blocks back and keeps the places.
void Copy::recycle(std::list<Buffer>& buffers) {
  for (Buffer& buffer : buffers) buffer.release();
  spare_.splice(spare_.end(), buffers);
  while (spare_.size() > kSpareBuffers) spare_.pop_back();
}

void Copy::drop(MirrorDrop why) {
  if (dropped_ || sender_done_) return;
  dropped_ = why;
  acquisition_.cancel();
  if (lease_) lease_->stream.cancel();
  wake();
}

void Copy::wake() {
  if (waiting_) std::exchange(waiting_, {}).resume();
}

// --- the sender's side

struct Copy::TeeWait {
  Copy& copy;
  bool await_ready() const noexcept { return copy.dropped_ || copy.complete_ || (!copy.tee_.empty() && !copy.tee_.front().empty()); }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { copy.waiting_ = handle; }
  void await_resume() const noexcept {}
};

void Copy::expired(void* self) { static_cast<Copy*>(self)->drop(MirrorDrop::Timeout); }

Task<> Copy::send() {
  const std::optional<MirrorDrop> failure = co_await exchange();
  if (!dropped_) dropped_ = failure;
}

/// The sender has ended (or never began): counted once, memory given back, the copy retired once the original is done too.
void Copy::sent(void* self) {
  auto* copy = static_cast<Copy*>(self);
  copy->sender_done_ = true;
  copy->deadline_.disarm();
  copy->lease_.drop();
  copy->recycle(copy->tee_);
  copy->recycle(copy->sending_);
  copy->head.release();
  copy->mirror_.discharge(copy->charged_);
  copy->charged_ = 0;
  copy->mirror_.on_end(*copy, copy->dropped_);
  if (!copy->source_open_) copy->mirror_.retire(*copy);
}

Task<std::optional<MirrorDrop>> Copy::exchange() {
  upstream::Acquired acquired = co_await pool_.acquire(acquisition_, upstream::Reuse::Any);
  if (acquired.failure == Failure::Overflow) co_return MirrorDrop::Concurrency;
  if (acquired.failure != Failure::None) co_return MirrorDrop::Connect;
  lease_ = std::move(acquired.lease);
  std::optional<MirrorDrop> failure = co_await send_body();
  if (!failure) failure = co_await read_answer();
  co_return failure;
}

/// The head and the tee, as it fills.
Task<std::optional<MirrorDrop>> Copy::send_body() {
  const Duration timeout = mirror_.policy_.timeout;
  bool head_sent = false;
  for (;;) {
    std::array<iovec, 8> parts;
    std::size_t count = 0;
    if (!head_sent) parts[count++] = {head.data(), head.size()};
    std::size_t bytes = 0;
    while (!tee_.empty() && count < parts.size()) {
      sending_.splice(sending_.end(), tee_, tee_.begin());
      parts[count++] = {sending_.back().data(), sending_.back().size()};
      bytes += sending_.back().size();
    }
    const std::span<const iovec> view(parts.data(), count);
    const net::IoResult result = co_await lease_->stream.send(view, timeout);
    head_sent = true;
    head.release();
    recycle(sending_);
    const std::size_t returned = std::min(bytes, charged_);
    mirror_.discharge(returned);
    charged_ -= returned;
    if (result.status != net::IoStatus::Ok) co_return MirrorDrop::Reset;
    if (tee_.empty() && complete_) co_return std::nullopt;
    TeeWait wait{*this};
    co_await wait;
    if (dropped_) co_return dropped_;
    if (tee_.empty() && complete_) co_return std::nullopt;
  }
}

/// Reads the answer to its end and throws it away.
Task<std::optional<MirrorDrop>> Copy::read_answer() {
  http::ResponseHeadDecoder decoder;
  Buffer& received = lease_->received;
  decoder.reset(method_);
  http::BodyDecoder body;
  bool have_head = false;
  int informational = 0;
  for (;;) {
    while (!have_head && !received.empty()) {
      const http::HeadState state = decoder.feed(received.view(), answer_);
      if (state == http::HeadState::Refused) co_return MirrorDrop::Protocol;
      if (state == http::HeadState::NeedMore) break;
      received.consume(decoder.consumed());
      if (answer_.status >= 200) {
        have_head = true;
        body.start(answer_.framing, answer_.content_length);
      } else if (answer_.status == 101 || ++informational > http::kInformationalResponses) {
        co_return MirrorDrop::Protocol;
      } else {
        decoder.reset(method_);
      }
    }
    while (have_head) {
      const http::BodyStep step = body.next(received.view());
      received.consume(step.consumed);
      if (step.event == http::BodyEvent::Refused) co_return MirrorDrop::Protocol;
      if (step.event == http::BodyEvent::End) {
        if (answer_.keep_alive) lease_.give_back();
        co_return std::nullopt;
      }
      if (step.event == http::BodyEvent::NeedMore) break;
    }
    const net::IoResult result = co_await lease_->stream.read(received, Duration::zero());
    if (result.status == net::IoStatus::Eof && have_head && body.end_of_stream()) co_return std::nullopt;
    if (result.status != net::IoStatus::Ok) co_return MirrorDrop::Reset;
  }
}

}  // namespace tidegate::mirror
