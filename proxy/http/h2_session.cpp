#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "base/frame_pool.h"
#include "http/h2_impl.h"

namespace tidegate::http {

void* H2Stream::operator new(std::size_t bytes) { return base::allocate_frame(bytes); }
void H2Stream::operator delete(void* memory, std::size_t bytes) noexcept { base::free_frame(memory, bytes); }

H2Session::Impl::Impl(H2Role role_, const H2Limits& limits_, H2Events& events_, BlockPool& blocks_, TimePoint now_)
    : role(role_), limits(limits_), events(events_), blocks(blocks_), now(now_),
      scanner_(role_ == H2Role::Server ? kH2PrefaceBytes : 0), floods_(limits_, now_) {
  session = new_h2_session(*this);
}

H2Session::Impl::~Impl() {
  nghttp2_session_del(session);
  while (H2Stream* const stream = streams.pop_front()) delete stream;
  drop_incoming();
}

H2Stream* H2Session::Impl::find(std::int32_t id) const noexcept {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

H2Stream* H2Session::Impl::usable(std::int32_t id) noexcept {
  H2Stream* stream = find(id);
  if (stream == nullptr && role == H2Role::Client) {  // a request that the library has not sent yet
    streams.for_each([&](H2Stream& one) { stream = one.id == id ? &one : stream; });
  }
  return stream == nullptr || stream->over || stream->reset_by_owner || !stream->told ? nullptr : stream;
}

H2Stream* H2Session::Impl::add_stream(std::int32_t id) {
  auto* const stream = new H2Stream;
  stream->id = id;
  streams.push_back(*stream);
  return stream;
}

void H2Session::Impl::reset(std::int32_t id, H2Error code, bool for_owner) {
  if (H2Stream* const stream = for_owner ? usable(id) : find(id)) {
    stream->quiet = true;
    stream->reset_by_owner = stream->reset_by_owner || for_owner;
    if (!for_owner) stream->failed = code;
  } else if (for_owner) {
    return;
  }
  nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(code));
}

void H2Session::Impl::end(H2Error code, std::string_view why) {
  if (!over || refusal.empty()) refusal = why;
  over = true;
  nghttp2_session_terminate_session(session, static_cast<std::uint32_t>(code));
}

namespace {

/// RFC 7541 §7.1.3: what one client sent must not be found out by another that shares the connection to an upstream.
bool is_secret(std::string_view name) noexcept {
  return name == "cookie" || name == "authorization" || name == "proxy-authorization";
}

/// Another value each time: in the table it would only cost work and the place of others.
bool is_made_once(std::string_view name) noexcept { return name == "x-request-id" || name == "traceparent"; }

nghttp2_nv pair_of(std::string_view name, std::string_view value, bool shared) noexcept {
  const auto bytes = [](std::string_view text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); };
  const bool indexed = !is_made_once(name) && !(shared && is_secret(name));
  const auto flags = static_cast<std::uint8_t>(indexed ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX);
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

/// The library copies what they point to. Valid until the next call.
std::vector<nghttp2_nv>& pairs_of(std::span<const H2Field> fields, bool shared, std::string_view status = {}) {
  thread_local std::vector<nghttp2_nv> pairs;
  pairs.clear();
  if (!status.empty()) pairs.push_back(pair_of(":status", status, false));
  for (const H2Field& field : fields) pairs.push_back(pair_of(field.name, field.value, shared));
  return pairs;
}

struct StatusText {
  explicit StatusText(std::uint16_t status) noexcept
      : digits{static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
               static_cast<char>('0' + status % 10)} {}
  std::string_view view() const noexcept { return {digits, sizeof digits}; }
  char digits[3];
};

ssize_t read_body(nghttp2_session* session, std::int32_t stream, std::uint8_t*, std::size_t most, std::uint32_t* flags,
                  nghttp2_data_source*, void* user) noexcept {
  using Impl = H2Session::Impl;
  Impl& impl = *static_cast<Impl*>(user);
  std::size_t got = 0;
  const Impl::Read read = impl.read_body(stream, most, got);
  if (read == Impl::Read::Later) return NGHTTP2_ERR_DEFERRED;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (read == Impl::Read::More) return static_cast<ssize_t>(got);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (read == Impl::Read::Last) return static_cast<ssize_t>(got);
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  std::vector<nghttp2_nv>& pairs = pairs_of({}, false);
  std::string_view left = impl.find(stream)->trailers;
  const auto next = [&left] {
    const std::string_view text = left.substr(0, left.find('\0'));
    left.remove_prefix(text.size() + 1);
    return text;
  };
  while (!left.empty()) {
    const std::string_view name = next();
    pairs.push_back(pair_of(name, next(), impl.role == H2Role::Client));
  }
  nghttp2_submit_trailer(session, stream, pairs.data(), pairs.size());
  return static_cast<ssize_t>(got);
}

const nghttp2_data_provider kBody{{}, read_body};

}  // namespace

H2Session::H2Session(H2Role role, const H2Limits& limits, H2Events& events, BlockPool& blocks, TimePoint now)
    : impl_(std::make_unique<Impl>(role, limits, events, blocks, now)) {}
H2Session::~H2Session() = default;

bool H2Session::feed(std::string_view bytes, TimePoint now) { return impl_->feed(bytes, now); }
void H2Session::produce(Buffer& out, std::size_t most) { impl_->produce(out, most); }
bool H2Session::wants_to_send() const noexcept { return nghttp2_session_want_write(impl_->session) != 0; }

bool H2Session::is_over() const noexcept {
  return nghttp2_session_want_write(impl_->session) == 0 && (impl_->over || nghttp2_session_want_read(impl_->session) == 0);
}

std::string_view H2Session::refusal() const noexcept { return impl_->refusal; }

bool H2Session::respond(std::int32_t id, std::uint16_t status, std::span<const H2Field> fields, bool ends) {
  if (impl_->usable(id) == nullptr) return false;
  const StatusText text(status);
  std::vector<nghttp2_nv>& pairs = pairs_of(fields, false, text.view());
  return nghttp2_submit_response(impl_->session, id, pairs.data(), pairs.size(), ends ? nullptr : &kBody) == 0;
}

bool H2Session::inform(std::int32_t id, std::uint16_t status, std::span<const H2Field> fields) {
  if (impl_->usable(id) == nullptr) return false;
  const StatusText text(status);
  std::vector<nghttp2_nv>& pairs = pairs_of(fields, false, text.view());
  return nghttp2_submit_headers(impl_->session, NGHTTP2_FLAG_NONE, id, nullptr, pairs.data(), pairs.size(), nullptr) == 0;
}

std::int32_t H2Session::request(std::span<const H2Field> fields, bool ends) {
  Impl& impl = *impl_;
  if (impl.over || nghttp2_session_check_request_allowed(impl.session) == 0 || impl.open >= peer_streams()) return -1;
  std::vector<nghttp2_nv>& pairs = pairs_of(fields, true);
  H2Stream* const stream = impl.add_stream(0);
  stream->id = nghttp2_submit_request(impl.session, nullptr, pairs.data(), pairs.size(), ends ? nullptr : &kBody, stream);
  if (stream->id < 0) {
    delete stream;
    return -1;
  }
  for (const H2Field& field : fields) {
    if (field.name == ":method") stream->method = method_of(field.value);
  }
  stream->told = true;
  impl.stream_began();
  ++impl.open;
  impl.highest = stream->id;
  return stream->id;
}

std::uint32_t H2Session::peer_streams() const noexcept {
  return nghttp2_session_get_remote_settings(impl_->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool H2Session::is_in_head() const noexcept { return impl_->is_in_head(); }

bool H2Session::knows_peer() const noexcept { return impl_->settings_told; }

bool H2Session::peer_takes_connect_protocol() const noexcept {
  return nghttp2_session_get_remote_settings(impl_->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool H2Session::is_unsent(std::int32_t id, std::uint64_t left) const noexcept {
  const H2Stream* const stream = impl_->find(id);
  return stream == nullptr || stream->head_at >= left;
}

void H2Session::resume(std::int32_t id) { nghttp2_session_resume_data(impl_->session, id); }

void H2Session::trailers(std::int32_t id, std::span<const H2Field> fields) {
  H2Stream* const stream = impl_->usable(id);
  if (stream == nullptr) return;
  stream->trailers.clear();
  for (const H2Field& field : fields) {
    stream->trailers.append(field.name).push_back('\0');
    stream->trailers.append(field.value).push_back('\0');
  }
}

void H2Session::reset(std::int32_t id, H2Error code) { impl_->reset(id, code, true); }

void H2Session::consumed(std::int32_t id, std::size_t bytes) {
  if (bytes > 0) nghttp2_session_consume_stream(impl_->session, id, bytes);
}

void H2Session::ping() {
  if (nghttp2_submit_ping(impl_->session, NGHTTP2_FLAG_NONE, nullptr) == 0) ++impl_->pings;
}

void H2Session::announce_goaway() { nghttp2_submit_shutdown_notice(impl_->session); }

void H2Session::goaway(H2Error code) {
  if (code != H2Error::NoError) ++impl_->goaways;
  impl_->goaway_last = std::min(impl_->goaway_last, nghttp2_session_get_last_proc_stream_id(impl_->session));
  nghttp2_submit_goaway(impl_->session, NGHTTP2_FLAG_NONE, impl_->goaway_last,
                        static_cast<std::uint32_t>(code), nullptr, 0);
}

void H2Session::end(H2Error code, std::string_view why) { impl_->end(code, why); }

std::uint32_t H2Session::open_streams() const noexcept { return impl_->open; }

}  // namespace tidegate::http
