// What arrives: each frame's header is looked at before the library sees it (floods, streams that are over), and what the library
// makes of it becomes events.
#include <nghttp2/nghttp2.h>

#include "http/h2_impl.h"

namespace tidegate::http {

using Impl = H2Session::Impl;

// --- field sections are lent

namespace {
constexpr std::size_t kSpare = 8;  // kept by a thread; more arrive at the same time only when clients send heads in pieces
thread_local std::vector<std::unique_ptr<H2Incoming>> spare;
}  // namespace

std::unique_ptr<H2Incoming> H2Incoming::lend(BlockPool& blocks) {
  std::unique_ptr<H2Incoming> lent;
  if (spare.empty()) {
    lent = std::make_unique<H2Incoming>();
  } else {
    lent = std::move(spare.back());
    spare.pop_back();
  }
  lent->bytes.emplace(blocks, BlockSize::Small);
  return lent;
}

void H2Incoming::give_back(std::unique_ptr<H2Incoming> incoming) {
  incoming->bytes.reset();
  if (spare.size() < kSpare) spare.push_back(std::move(incoming));
}

void Impl::drop_incoming() {
  if (incoming_) H2Incoming::give_back(std::move(incoming_));
}

// --- frames, before the library

bool Impl::feed(std::string_view bytes, TimePoint at) {
  now = at;
  while (!over && !bytes.empty()) {
    const H2FrameScanner::Piece piece = scanner_.next(bytes);
    if (piece.bytes.empty() || (piece.begins != nullptr && !check(*piece.begins))) break;
    give(piece.bytes);
  }
  return !over;
}

void Impl::give(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) return end(H2Error::Protocol, "no HTTP/2 preface");
    const bool flood = taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
    if (flood) return end(H2Error::EnhanceYourCalm, "a limit of the HTTP/2 library");
    return end(H2Error::Internal, "internal error of the HTTP/2 library");
  }
  within(floods_.queued(nghttp2_session_get_outbound_queue_size(session), open));
}

bool Impl::within(const char* over_limit) {
  if (over_limit == nullptr) return true;
  end(H2Error::EnhanceYourCalm, over_limit);
  return false;
}

bool Impl::check(const H2FrameHeader& header) {
  constexpr std::uint32_t kSettingsEntry = 6;  // bytes, RFC 9113 §6.5.1
  if (opening_ != 0 && header.type != H2FrameType::Continuation) {
    closed_.add(opening_, H2Ending::ByUs);  // the library did not take it: after GOAWAY, or over the limit
    opening_ = 0;
  }
  switch (header.type) {
    case H2FrameType::Data:
      if (header.length == 0 && (header.flags & kH2EndStream) == 0 && !within(floods_.empty_data(now))) return false;
      return check_stream(header);
    case H2FrameType::Headers: floods_.section_began(); return check_stream(header);
    case H2FrameType::Continuation: return within(floods_.continuation());
    case H2FrameType::Settings:
      return (header.flags & kH2Ack) != 0 || within(floods_.settings(header.length / kSettingsEntry, now));
    case H2FrameType::RstStream:
      if (role == H2Role::Server && !within(floods_.reset(now))) return false;
      if (find(header.stream) != nullptr) return true;
      // Behind a whole answer a server says that it does not want the rest of the request (RFC 9113 §8.1).
      if (role == H2Role::Client && closed_.find(header.stream) == H2Ending::Complete) return within(floods_.useful(now));
      return within(floods_.glitch(now));
    case H2FrameType::PushPromise:
      end(H2Error::Protocol, "PUSH_PROMISE, which was not allowed");
      return false;
    case H2FrameType::Ping:
      if ((header.flags & kH2Ack) == 0) return within(floods_.useful(now));
      return pings > 0 || within(floods_.glitch(now));
    case H2FrameType::GoAway: return within(floods_.glitch(now));
    default: return within(floods_.useful(now));
  }
}

bool Impl::check_stream(const H2FrameHeader& header) {
  const bool odd = (header.stream & 1) != 0;
  if (!odd || find(header.stream) != nullptr) return true;
  if (header.stream > highest) {  // idle
    if (role == H2Role::Server && header.type == H2FrameType::Headers) {
      highest = opening_ = header.stream;
      floods_.stream_began();
    }
    return true;
  }
  return check_closed(header);
}

/// RFC 9113 §5.1, "closed", and §5.1.1.
bool Impl::check_closed(const H2FrameHeader& header) {
  switch (closed_.find(header.stream)) {
    case H2Ending::Complete:
      end(H2Error::StreamClosed, "a frame for a stream that is complete");
      return false;
    case H2Ending::NeverBegan:
      if (role == H2Role::Client) return true;  // one that we have not sent yet: the library knows
      end(H2Error::Protocol, "a frame for a stream that was skipped");
      return false;
    case H2Ending::ByPeer:
      reset(header.stream, H2Error::StreamClosed, false);
      return within(floods_.glitch(now));
    case H2Ending::ByUs:
      if (role == H2Role::Client) return true;  // how many there are our own clients decide, by leaving
      break;
    case H2Ending::Unknown: break;
  }
  const bool late_body = header.type == H2FrameType::Data && header.length >= kH2LateDataBytes;
  return late_body || within(floods_.glitch(now));
}

// --- what the library makes of them

void Impl::section_begins(std::int32_t id, bool opens) {
  H2Stream* stream = opens ? add_stream(id) : find(id);
  if (opens) {
    opening_ = 0;
    nghttp2_session_set_stream_user_data(session, id, stream);
  }
  if (stream == nullptr || stream->quiet) return drop_incoming();
  if (!incoming_) incoming_ = H2Incoming::lend(blocks);
  incoming_->bytes->clear();
  incoming_for_ = id;
  const bool response = role == H2Role::Client && !stream->final_head;
  HeadLimits section = limits.head;
  FieldList* fields = nullptr;
  if (opens) {
    incoming_->kind = H2Incoming::Kind::Request;
    if (!incoming_->request) incoming_->request = std::make_unique<RequestHead>();
    fields = &incoming_->request->fields;
  } else if (response) {
    incoming_->kind = H2Incoming::Kind::Response;
    if (!incoming_->response) incoming_->response = std::make_unique<ResponseHead>();
    fields = &incoming_->response->fields;
  } else {
    incoming_->kind = H2Incoming::Kind::Trailers;
    section = {kTrailerBytes, kTrailerFields, 0};
    fields = &incoming_->trailers;
  }
  incoming_->section.begin(section, *fields, *incoming_->bytes);
}

bool Impl::field_arrived(std::int32_t id, std::string_view name, std::string_view value) {
  if (!incoming_ || incoming_->section.add(name, value)) return true;
  if (incoming_->kind == H2Incoming::Kind::Request) return true;  // it gets its status when the section is complete
  const bool too_large = incoming_->section.refusal().status == 431;
  drop_incoming();
  reset(id, too_large ? H2Error::EnhanceYourCalm : H2Error::Protocol, false);
  return false;
}

void Impl::section_ended(std::int32_t id, bool ends) {
  H2Stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->peer_ended = stream->peer_ended || ends;
  if (!incoming_ || stream->quiet) return;
  switch (incoming_->kind) {
    case H2Incoming::Kind::Request: request_ended(*stream, ends); break;
    case H2Incoming::Kind::Response: response_ended(*stream, ends); break;
    case H2Incoming::Kind::Trailers: trailers_ended(*stream); break;
  }
}

/// The section that arrived; given back when it goes out of scope.
struct Arrived {
  explicit Arrived(std::unique_ptr<H2Incoming>& from) : incoming(std::move(from)) {}
  Arrived(const Arrived&) = delete;
  Arrived& operator=(const Arrived&) = delete;
  ~Arrived() { H2Incoming::give_back(std::move(incoming)); }
  H2Incoming* operator->() const noexcept { return incoming.get(); }
  std::unique_ptr<H2Incoming> incoming;
};

void Impl::request_ended(H2Stream& stream, bool ends) {
  const Arrived arrived(incoming_);
  if (stream.id > goaway_last) return reset(stream.id, H2Error::RefusedStream, true);  // the peer is told that it was not processed
  const Refusal refused = arrived->section.finish(*arrived->request, ends, limits.connect_protocol);
  stream.told = true;
  ++open;
  if (!refused) return events.on_request(stream.id, *arrived->request, *arrived->bytes, ends);
  stream.quiet = true;
  events.on_refused(stream.id, refused);
  within(floods_.glitch(now));
}

void Impl::response_ended(H2Stream& stream, bool ends) {
  const Arrived arrived(incoming_);
  if (arrived->section.finish(*arrived->response, ends, stream.method)) {
    return reset(stream.id, H2Error::Protocol, false);
  }
  if (arrived->response->status < 200 && ++stream.interim_heads > kInformationalResponses) {
    return reset(stream.id, H2Error::EnhanceYourCalm, false);
  }
  stream.final_head = arrived->response->status >= 200;
  events.on_response(stream.id, *arrived->response, *arrived->bytes, ends);
}

void Impl::trailers_ended(H2Stream& stream) {
  const Arrived arrived(incoming_);
  if (arrived->section.finish_trailers()) return reset(stream.id, H2Error::Protocol, false);
  const std::int32_t id = stream.id;
  events.on_trailers(id, arrived->trailers, *arrived->bytes);
  const H2Stream* const still = find(id);
  if (still != nullptr && !still->quiet) events.on_end(id);
}

void Impl::data_arrived(std::int32_t id, std::string_view data) {
  const H2Stream* const stream = find(id);
  if (stream == nullptr || stream->quiet) {
    nghttp2_session_consume(session, id, data.size());
    return;
  }
  nghttp2_session_consume_connection(session, data.size());
  events.on_data(id, data);
}

void Impl::data_frame_ended(std::int32_t id, bool only_padding, bool ends) {
  if (only_padding && !ends && !within(floods_.empty_data(now))) return;
  H2Stream* const stream = find(id);
  if (stream == nullptr || !ends) return;
  stream->peer_ended = true;
  if (!stream->quiet) events.on_end(id);
}

void Impl::reset_arrived(std::int32_t id) {
  if (H2Stream* const stream = find(id)) stream->reset_by_peer = stream->quiet = true;
}

void Impl::goaway_arrived() {
  if (goaway_told) return;
  goaway_told = true;
  events.on_goaway();
}

void Impl::settings_arrived() {
  if (settings_told) return;
  settings_told = true;
  events.on_settings();
}

void Impl::pong_arrived() {
  if (pings == 0) return;
  --pings;
  events.on_pong();
}

void Impl::closed(std::int32_t id, std::uint32_t code) {
  H2Stream* const stream = find(id);
  const bool complete = stream != nullptr && stream->peer_ended && stream->we_ended;
  const bool ours = stream == nullptr || stream->reset_sent || stream->reset_by_owner;
  const bool by_goaway = !ours && !stream->reset_by_peer && code == NGHTTP2_REFUSED_STREAM;
  closed_.add(id, stream != nullptr && stream->reset_by_peer ? H2Ending::ByPeer
                  : ours || !complete                        ? H2Ending::ByUs
                                                             : H2Ending::Complete);
  if (incoming_for_ == id) drop_incoming();
  if (stream == nullptr) return;
  stream->over = stream->quiet = true;
  if (stream->told) {
    --open;
    const bool by_peer = stream->reset_by_peer || by_goaway;
    const bool answered = role == H2Role::Server ? stream->we_ended : stream->peer_ended;
    auto told = static_cast<H2Error>(code);
    // The library closes what both ends have ended, also when a reset for an error is on its way.
    if (told == H2Error::NoError && stream->failed != H2Error::NoError) told = stream->failed;
    if (told == H2Error::NoError && stream->reset_by_peer && !answered) told = H2Error::Cancel;
    events.on_closed(id, told, by_peer, role == H2Role::Client && by_peer && told == H2Error::RefusedStream);
  }
  nghttp2_session_set_stream_user_data(session, id, nullptr);
  delete stream;
}

}  // namespace tidegate::http
