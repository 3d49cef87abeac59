// What leaves: the library's frames are copied into the output, bodies are pulled straight into it.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "http/h2_impl.h"

namespace tidegate::http {

using Impl = H2Session::Impl;

void Impl::produce(Buffer& out, std::size_t most) {
  out_ = &out;
  most_ = most;
  before_ -= out.size();
  while (out.size() < most) {
    const std::uint8_t* frame = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session, &frame);
    if (size < 0) {
      over = true;
      refusal = "internal error of the HTTP/2 library";
    }
    if (size <= 0) break;
    out.append({reinterpret_cast<const char*>(frame), static_cast<std::size_t>(size)});
  }
  out_ = nullptr;
  before_ += out.size();
}

void Impl::request_begins(std::int32_t id) {
  if (H2Stream* const stream = find(id)) stream->head_at = before_ + out_->size();
}

Impl::Read Impl::read_body(std::int32_t id, std::size_t most, std::size_t& got) {
  constexpr std::size_t kEnough = 4 * 1024;  // of free space: rather a smaller frame than memory of its own
  const std::size_t room = kH2FrameHeaderBytes + std::min(most, kEnough);
  if (!out_->has_memory() || out_->free_bytes() < room) out_->reserve(kH2FrameHeaderBytes + most);
  const std::size_t fits = std::min(most, out_->free_bytes() - kH2FrameHeaderBytes);
  const H2Pulled pulled = events.pull(id, out_->free_space() + kH2FrameHeaderBytes, fits);
  if (pulled.bytes == 0 && !pulled.last) return Read::Later;
  got = pulled.bytes;
  const bool crumb = most < kH2CrumbBytes && got == most && !pulled.last;
  if (crumb) {
    within(floods_.glitch(now));
  } else {
    floods_.data_sent();
  }
  if (!pulled.last) return Read::More;
  const H2Stream* const stream = find(id);
  return stream == nullptr || stream->trailers.empty() ? Read::Last : Read::LastBeforeTrailers;
}

bool Impl::write_data(const char* header, std::size_t bytes) {
  std::memcpy(out_->free_space(), header, kH2FrameHeaderBytes);
  out_->commit(kH2FrameHeaderBytes + bytes);
  return out_->size() < most_;
}

namespace {

std::string_view why(std::uint32_t code) noexcept {
  switch (code) {
    case NGHTTP2_PROTOCOL_ERROR: return "a frame that breaks the protocol";
    case NGHTTP2_FLOW_CONTROL_ERROR: return "more data than the window allows";
    case NGHTTP2_STREAM_CLOSED: return "a frame for a stream that is complete";
    case NGHTTP2_FRAME_SIZE_ERROR: return "a frame of a wrong size";
    case NGHTTP2_COMPRESSION_ERROR: return "a field section that cannot be decoded";
    case NGHTTP2_ENHANCE_YOUR_CALM: return "a limit of the HTTP/2 library";
    default: return "an error of the connection";
  }
}

}  // namespace

void Impl::frame_sent(H2FrameType type, std::uint8_t flags, std::int32_t id, std::uint32_t code) {
  if (type == H2FrameType::GoAway) {
    if (code == NGHTTP2_NO_ERROR) return;
    if (goaways > 0 && !over) {
      --goaways;
      return;
    }
    over = true;
    if (refusal.empty()) refusal = why(code);
    return;
  }
  if (type == H2FrameType::RstStream) {
    H2Stream* const stream = find(id);
    if (stream != nullptr) stream->reset_sent = true;
    const bool for_owner = stream != nullptr && stream->reset_by_owner;
    if (role == H2Role::Server && !for_owner) within(floods_.reset(now));
    return;
  }
  if ((type != H2FrameType::Data && type != H2FrameType::Headers) || (flags & kH2EndStream) == 0) return;
  H2Stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->we_ended = true;
  events.on_sent_end(id);
}

void Impl::head_not_sent(std::int32_t id, bool is_request, bool refused_by_goaway) {
  if (!is_request) return reset(id, H2Error::Internal, true);
  H2Stream* const stream = find(id);
  if (stream != nullptr && !refused_by_goaway) stream->reset_by_owner = true;
}

}  // namespace tidegate::http
