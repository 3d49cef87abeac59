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
  if (!mirror_.charge(data.size())) {
    drop(MirrorDrop::Buffer);
    return;
  }
  charged_ += data.size();
  pour(data);
}

void Copy::push() {
  start();
  wake();
}

void Copy::end() {
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

/// The head and the tee, as it fills. What has gathered in the tee goes out as one chunk where the body has no length, and as
/// it is where the connection frames messages by itself.
Task<std::optional<MirrorDrop>> Copy::send_body() {
  http::Frames* const frames = lease_->frames;
  const bool chunks = chunked_ && frames == nullptr;
  bool head_sent = false;
  for (;;) {
    std::array<iovec, net::ByteStream::kSendParts> parts;
    std::size_t count = 0;
    const auto add = [&](std::string_view text) { parts[count++] = {const_cast<char*>(text.data()), text.size()}; };
    if (!head_sent && frames == nullptr) add(head.view());
    std::size_t bytes = 0;
    const std::size_t header_at = count;
    if (chunks) ++count;
    while (!tee_.empty() && count + 3 < parts.size()) {
      sending_.splice(sending_.end(), tee_, tee_.begin());
      add(sending_.back().view());
      bytes += sending_.back().size();
    }
    const bool ends = complete_ && tee_.empty();
    std::optional<http::ChunkHeader> header;
    if (chunks && bytes > 0) {
      const std::string_view text = header.emplace(bytes).text();
      parts[header_at] = {const_cast<char*>(text.data()), text.size()};
      add(http::kCrlf);
    } else if (chunks) {
      count = header_at;
    }
    if (chunks && ends) add(http::kLastChunk);
    if (frames != nullptr && !head_sent) frames->send_head(head, ends && bytes == 0);
    if (frames != nullptr && ends) frames->finish(nullptr);
    head_sent = true;
    if (count > 0 || frames != nullptr) {
      const std::span<const iovec> view(parts.data(), count);
      const net::IoResult result = co_await lease_->stream.send(view, mirror_.policy_.timeout);
      head.release();
      recycle(sending_);
      mirror_.discharge(bytes);
      charged_ -= bytes;
      if (result.status != net::IoStatus::Ok) co_return MirrorDrop::Reset;
    }
    if (ends) co_return std::nullopt;
    TeeWait wait{*this};
    co_await wait;
    if (dropped_) co_return dropped_;
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
    while (!have_head) {
      const http::HeadState state = lease_->take_head(decoder, answer_);
      if (state == http::HeadState::Refused) co_return MirrorDrop::Protocol;
      if (state == http::HeadState::NeedMore) break;
      lease_->drop_head(decoder);
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
    net::IoResult result;
    if (have_head) {
      result = co_await lease_->stream.read(received, Duration::zero());
    } else {
      result = co_await lease_->await_head(Duration::zero());
    }
    if (result.status == net::IoStatus::Eof && have_head && body.end_of_stream()) co_return std::nullopt;
    if (result.status != net::IoStatus::Ok) co_return MirrorDrop::Reset;
  }
}

}  // namespace tidegate::mirror
