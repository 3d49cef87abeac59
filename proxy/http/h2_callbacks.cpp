// The HTTP/2 library's callbacks, translated into H2Session::Impl's words. Exceptions must not pass through the library, which
// is C: callbacks are noexcept, so running out of memory ends the process as it does elsewhere.
#include <nghttp2/nghttp2.h>

#include <new>

#include "http/h2_impl.h"
#include "http/h2_memory.h"

namespace tidegate::http {

namespace {

H2Session::Impl& impl_of(void* user) noexcept { return *static_cast<H2Session::Impl*>(user); }
std::string_view text(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  impl_of(user).section_begins(frame->hd.stream_id, frame->headers.cat == NGHTTP2_HCAT_REQUEST);
  return 0;
}

int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
              const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) noexcept {
  const bool wanted = impl_of(user).field_arrived(frame->hd.stream_id, text(name, name_size), text(value, value_size));
  return wanted ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/// RFC 9113 §8.2.1: malformed. Without this callback some of them would be left out silently.
int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t, const std::uint8_t*,
                      std::size_t, std::uint8_t, void*) noexcept {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  H2Session::Impl& impl = impl_of(user);
  const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_DATA: {
      const bool only_padding = frame->hd.length > 0 && frame->data.padlen == frame->hd.length;
      impl.data_frame_ended(frame->hd.stream_id, only_padding, ends);
      break;
    }
    case NGHTTP2_HEADERS: impl.section_ended(frame->hd.stream_id, ends); break;
    case NGHTTP2_RST_STREAM: impl.reset_arrived(frame->hd.stream_id); break;
    case NGHTTP2_GOAWAY: impl.goaway_arrived(); break;
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) impl.settings_arrived();
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) impl.pong_arrived();
      break;
    default: break;
  }
  return 0;
}

int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* data, std::size_t size,
                  void* user) noexcept {
  impl_of(user).data_arrived(stream, text(data, size));
  return 0;
}

int on_stream_close(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* user) noexcept {
  impl_of(user).closed(stream, code);
  return 0;
}

int before_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  const bool begins = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  if (begins) impl_of(user).request_begins(frame->hd.stream_id);
  return 0;
}

int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  const std::uint32_t code = frame->hd.type == NGHTTP2_RST_STREAM ? frame->rst_stream.error_code
                             : frame->hd.type == NGHTTP2_GOAWAY   ? frame->goaway.error_code
                                                                  : 0;
  impl_of(user).frame_sent(static_cast<H2FrameType>(frame->hd.type), frame->hd.flags, frame->hd.stream_id, code);
  return 0;
}

int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) noexcept {
  if (frame->hd.type != NGHTTP2_HEADERS || error == NGHTTP2_ERR_STREAM_CLOSING || error == NGHTTP2_ERR_STREAM_CLOSED) return 0;
  impl_of(user).head_not_sent(frame->hd.stream_id, frame->headers.cat == NGHTTP2_HCAT_REQUEST,
                              error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED);
  return 0;
}

/// Errors of the connection are known at once this way; the others when their GOAWAY is sent.
int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) noexcept {
  const bool of_stream = error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING ||
                         error == NGHTTP2_ERR_REFUSED_STREAM ||
                         (error == NGHTTP2_ERR_FLOW_CONTROL && frame->hd.type == NGHTTP2_WINDOW_UPDATE && frame->hd.stream_id != 0);
  if (of_stream) return 0;
  impl_of(user).over = true;
  if (impl_of(user).refusal.empty()) impl_of(user).refusal = "a frame that breaks the protocol";
  return 0;
}

int on_send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* header, std::size_t size, nghttp2_data_source*,
                 void* user) noexcept {
  return impl_of(user).write_data(reinterpret_cast<const char*>(header), size) ? 0 : NGHTTP2_ERR_PAUSE;
}

nghttp2_session_callbacks* make_callbacks() {
  nghttp2_session_callbacks* made = nullptr;
  if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(made, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(made, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
  nghttp2_session_callbacks_set_before_frame_send_callback(made, before_frame_send);
  nghttp2_session_callbacks_set_on_frame_send_callback(made, on_frame_send);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(made, on_frame_not_send);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, on_invalid_frame);
  nghttp2_session_callbacks_set_send_data_callback(made, on_send_data);
  return made;
}

const nghttp2_session_callbacks* callbacks() {
  struct Owner {
    ~Owner() { nghttp2_session_callbacks_del(made); }
    nghttp2_session_callbacks* made = make_callbacks();
  };
  static const Owner owner;
  return owner.made;
}

void submit_settings(nghttp2_session* session, const H2Session::Impl& impl) {
  const H2Limits& limits = impl.limits;
  const bool server = impl.role == H2Role::Server;
  nghttp2_settings_entry entries[5];
  std::size_t count = 0;
  const auto add = [&](std::int32_t id, std::size_t value) { entries[count++] = {id, static_cast<std::uint32_t>(value)}; };
  if (!server) add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  if (server) add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams);
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window);
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.head.bytes);
  if (server && limits.connect_protocol) add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries, count);
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limits.connection_window));
}

}  // namespace

nghttp2_session* new_h2_session(H2Session::Impl& impl) {
  constexpr std::size_t kHeadBlock = 192 * 1024;  // three times HeadLimits::bytes: the library estimates from above
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, kH2HeaderTable);
  nghttp2_option_set_max_send_header_block_length(option, kHeadBlock);
  // H2Floods counts these before the library does; what it has is the second line.
  nghttp2_option_set_max_settings(option, impl.limits.settings_entries);
  nghttp2_option_set_max_outbound_ack(option, impl.limits.queued_control + impl.limits.streams * kH2QueuedPerStream + 1);
  nghttp2_option_set_max_continuations(option, impl.limits.continuations + 1);
  nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
  nghttp2_session* session = nullptr;
  const auto make = impl.role == H2Role::Server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  const int failed = make(&session, callbacks(), &impl, option, static_cast<nghttp2_mem*>(h2_memory()));
  nghttp2_option_del(option);
  if (failed != 0) throw std::bad_alloc();
  submit_settings(session, impl);
  return session;
}

}  // namespace tidegate::http
