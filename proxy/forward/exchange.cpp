#include "forward/exchange.h"

#include <algorithm>
#include <utility>

#include "forward/outcome.h"
#include "forward/retry.h"
#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/trace.h"
#include "forward/worker.h"
#include "http/grammar.h"

namespace tidegate::forward {

namespace {
constexpr std::string_view kSlowRequest = "request body slower than limits.min_request_rate";
constexpr std::string_view kSlowResponse = "response read slower than limits.min_response_rate";

bool is_http10(const http::RequestHead& request) noexcept { return request.major_version == 1 && request.minor_version == 0; }
}  // namespace

Exchange::Exchange(Worker& worker)
    : worker_(worker),
      encoded_(worker.reactor.blocks(), BlockSize::Small),
      encoded_up_(worker.reactor.blocks(), BlockSize::Small),
      body_(worker.reactor.blocks()),
      pace_clock_(&Exchange::look_at_pace, this),
      route_deadline_(&Exchange::route_expired, this),
      slow_clock_(&Exchange::became_slow, this) {}

ClusterRuntime& Exchange::cluster() const noexcept { return *route_->clusters[side_]; }

void Exchange::attach(Downstream& client) {
  client_ = &client;
  route_ = nullptr;
  split_ = {};
  has_side_ = false;
  attempts_ = 0;
  on_budget_ = stale_ = false;
  reuse_ = upstream::Reuse::Any;
  avoided_ = upstream::Pool::kNobody;
  failure_ = Failure::None;
  upload_end_ = PumpEnd::Complete;
  client_fault_ = 0;
  too_slow_ = false;
  copy_ = nullptr;
  mirrored_ = false;
  call_ = call_expired_ = false;
  upgrade_ = {};
  leaving_ = counted_ = was_tunnel_ = spilled_ = false;
  call_code_ = http::GrpcCode::Unknown;
  call_deadline_ = TimePoint::max();
  timed_out_ = client_gone_ = cut_off_ = survives_ = needs_linger_ = response_begun_ = truncated_ = must_reset_ = false;
  started_ = worker_.reactor.now();
  service_time_ = Duration(-1);
  head_bytes_ = 0;
  status_ = 0;
  bytes_sent_ = bytes_received_ = 0;
  refusal_reason_ = request_id_ = trace_id_ = new_traceparent_ = upstream_host_ = {};
}

/// A body gets a buffer of its own: the head stays where it is, for retries and the log.
void Exchange::begin(std::size_t head_bytes) {
  head_bytes_ = head_bytes;
  if (!request_.protocol.empty()) {  // from here on what HTTP/1.1 would have: GET with Upgrade (RFC 8441 §5)
    request_.method = http::Method::Get;
    request_.method_token = "GET";
    request_.framing = http::Framing::None;
    request_.content_length = 0;
    request_.has_content_length = request_.expects_continue = false;
  }
  call_ = http::is_grpc(request_);
  if (request_.framing == http::Framing::None) return;
  Buffer& received = client_->received();
  const std::string_view rest = received.view().substr(head_bytes);
  if (!rest.empty()) body_.append(rest);
  received.drop_back(rest.size());
  upload_end_ = PumpEnd::Canceled;  // until it was carried to its end
}

// --- the story

Task<> Exchange::run() {
  if (!has_listeners_scheme() || (!http::has_plain_path(request_.target) && !settle_path()) || !find_route() || !consider_upgrade()) {
    co_await reply(status_, refusal_reason_);
    finish();
    co_return;
  }
  identify();
  choose_side();
  consider_mirror();
  watch_client();
  do {
    co_await attempt();
  } while (prepare_retry());
  if (failure_ == Failure::None && is_switch()) {
    co_await switch_protocols();
  } else if (failure_ == Failure::None) {
    co_await deliver();
  } else {
    co_await answer_failure();
  }
  if (upload_) co_await end_upload();
  finish();
}

Task<> Exchange::refuse(const http::Refusal& refusal) {
  refusal_reason_ = refusal.reason;
  co_await reply(refusal.status, refusal.reason);
  needs_linger_ = true;
  finish();
}

/// RFC 9113 §8.3.1: a proxy in front that ended TLS may say so, strangers may not.
bool Exchange::has_listeners_scheme() {
  const Session& session = client_->session();
  if (request_.scheme.empty() || session.peer_trusted() || http::equals_ignoring_case(request_.scheme, session.scheme())) return true;
  status_ = 400;
  refusal_reason_ = "scheme of the target is not the listener's";
  return false;
}

/// What is routed is what is forwarded, copied and logged: the target is changed where it was received.
bool Exchange::settle_path() {
  Buffer& received = client_->received();
  char* const target = received.data() + (request_.target.data() - received.view().data());
  std::size_t size = request_.target.size();
  const http::Refusal refusal = http::normalise_target(target, size, client_->session().policy().path);
  request_.target = {target, size};
  if (!refusal) return true;
  status_ = refusal.status;
  refusal_reason_ = refusal.reason;
  return false;
}

bool Exchange::find_route() {
  Generation& serving = worker_.serving();
  const route::Route* found = serving.snapshot.find(request_);
  if (found == nullptr) {
    status_ = 404;
    refusal_reason_ = "no route matches";
    return false;
  }
  route_ = &serving.routes[found->index];
  ++serving.exchanges;
  ++route_->in_flight;
  route_->counters->in_flight.add(1);
  const std::uint64_t most = client_->session().policy().body_bytes;
  if (most != 0 && request_.content_length > most) {
    status_ = 413;
    refusal_reason_ = "request body too long";
    return false;
  }
  return true;
}

namespace {

/// The value of the only field with that id that is forwarded; empty when there is none or more than one.
std::string_view sole_value(const http::FieldList& fields, http::FieldId id) noexcept {
  std::string_view value;
  std::size_t found = 0;
  if (!fields.has(id)) return value;
  for (const http::Field& field : fields) {
    if (field.id != id || field.hop_by_hop) continue;
    value = fields.value(field);
    ++found;
  }
  return found == 1 ? value : std::string_view();
}

}  // namespace

/// The ids that tie logs, traces and the mirror's copy together: the client's own where they are well-formed.
void Exchange::identify() {
  request_id_ = sole_value(request_.fields, http::FieldId::XRequestId);
  const std::string_view traceparent = sole_value(request_.fields, http::FieldId::Traceparent);
  const bool own_trace = is_traceparent(traceparent);
  if (own_trace) trace_id_ = traceparent.substr(3, 32);
  if (is_request_id(request_id_) && own_trace) return;
  const Identity made(worker_.random);
  if (!is_request_id(request_id_)) request_id_ = made.write_request_id(made_request_id_);
  if (own_trace) return;
  new_traceparent_ = made.write_traceparent(made_traceparent_);
  trace_id_ = new_traceparent_.substr(3, 32);
}

void Exchange::choose_side() {
  split_ = route_->route->live->split();
  side_ = route::pick(worker_.positions.next(), split_.weight);
  has_side_ = true;
  if (!cluster().pool.is_usable()) consider_spill();
}

/// A side without a healthy endpoint: its share goes to the other, if that one has any, and never to a new that has no share (it
/// may have been reverted). What new could not take is an error of new (PRODUCT §3).
void Exchange::consider_spill() {
  const Side from = side_;
  const Side to = other(from);
  if (!route_->clusters[to]->pool.is_usable() || (to == Side::New && split_.weight == Weight::none())) return;
  route_->counters->spilled[from].add();
  spilled_ = true;
  if (from == Side::New) {
    route_->ledger->dispatched(from, split_.step);
    failure_counted_ = false;
    upstream_host_ = "no healthy endpoint";
    attempt_started_ = started_;
    count_failure(Failure::Connect);
    upstream_host_ = {};
  }
  side_ = to;
}

/// What the original and its copy carry alike.
RequestContext Exchange::request_context() const {
  RequestContext context;
  const Session& session = client_->session();
  context.peer = session.peer();
  context.peer_trusted = session.peer_trusted();
  context.https = session.scheme() == "https";
  context.client_certificate = session.client_certificate();
  context.request_id = request_id_;
  context.traceparent = new_traceparent_;
  const route::HeaderEdits& edits = route_->route->policy.request_headers;
  if (!edits.set.empty() || !edits.remove.empty()) context.edits = &edits;
  return context;
}

/// @return false: the route does not allow what can only be a tunnel (an extended CONNECT).
bool Exchange::consider_upgrade() {
  const std::string_view wanted = wanted_protocol();
  if (wanted.empty()) return true;
  for (const std::string& allowed : route_->route->policy.upgrade.protocols) {
    if (http::equals_ignoring_case(wanted, allowed)) upgrade_ = allowed;
  }
  if (!upgrade_.empty() || request_.protocol.empty()) return true;
  status_ = 501;  // RFC 9220 §3
  refusal_reason_ = "protocol of the extended CONNECT is not allowed here";
  return false;
}

/// Only what is certain: one protocol, asked for by Connection as well, by a request without a body (RFC 9110 §7.8), and for a
/// WebSocket with its key. Anything else is an ordinary request, and Upgrade stays here.
std::string_view Exchange::wanted_protocol() const {
  if (!request_.protocol.empty()) return request_.protocol;
  const http::FieldList& fields = request_.fields;
  if (!fields.has(http::FieldId::Upgrade) || fields.count(http::FieldId::Upgrade) != 1) return {};
  if (request_.method != http::Method::Get || is_http10(request_) || request_.framing != http::Framing::None) return {};
  bool nominated = false;
  for (const http::Field& field : fields) {
    if (field.id != http::FieldId::Connection) continue;
    http::for_each_element(fields.value(field), [&](std::string_view option) {
      nominated = nominated || http::equals_ignoring_case(option, "upgrade");
      return !nominated;
    });
  }
  const std::string_view wanted = fields.first(http::FieldId::Upgrade);
  const bool keyless = http::equals_ignoring_case(wanted, http::kWebSocket) && fields.sole(http::kWebSocketKeyName).empty();
  return nominated && !keyless ? wanted : std::string_view();
}

/// What the answer says, when it is the protocol that was asked for.
bool Exchange::is_switch() const noexcept {
  if (upgrade_.empty()) return false;
  return lease_->frames != nullptr ? response_.status >= 200 && response_.status < 300 : response_.status == 101;
}

/// RFC 6455 §4.1: an answer to another key is none.
bool Exchange::is_accepted() const noexcept {
  if (!http::equals_ignoring_case(response_.fields.first(http::FieldId::Upgrade), upgrade_)) return false;
  if (upgrade_ != http::kWebSocket || client_->frames() == nullptr) return true;
  const http::WebSocketAccept accept = http::websocket_accept(http::text(websocket_key_));
  return response_.fields.sole(http::kWebSocketAcceptName) == http::text(accept);
}

void Exchange::consider_mirror() {
  if (route_->mirror == nullptr) return;
  if (!upgrade_.empty()) return route_->mirror->refuse(observe::MirrorDrop::Upgrade);
  copy_ = route_->mirror->consider(request_);
  if (copy_ == nullptr) return;
  const ClusterRuntime& target = *route_->clusters[Side::New];
  RequestContext context = request_context();
  const std::string_view host = route_->mirror->host_for(request_.authority, target.pool.policy());
  context.host = host;
  context.is_mirror_copy = true;
  encode_request(copy_->head, request_, context);
  copy_->open(http::needs_chunks(request_.framing, request_.has_content_length));
  mirrored_ = true;
}

/// After the original's own bytes went out: the copy never comes first. A body is fed by the upload.
void Exchange::launch_mirror() {
  if (copy_ == nullptr || request_.framing != http::Framing::None) return;
  std::exchange(copy_, nullptr)->end();
}

void Exchange::watch_client() {
  net::ByteStream& client = client_->stream();
  client.on_hangup(&Exchange::client_hung_up, this);
  if (client.ended()) client_hung_up(this);
  if (call_) {
    if (const auto limit = http::grpc_timeout(request_)) call_deadline_ = started_ + *limit;
  }
  if (request_.framing == http::Framing::None || call_deadline_ != TimePoint::max()) start_route_clock();
}

/// From the complete request on: what a client takes to send its body is not the side's time.
void Exchange::start_route_clock() {
  Duration limit = route_->route->policy.timeout;
  if (call_deadline_ != TimePoint::max()) {
    const Duration left = std::max<Duration>(call_deadline_ - worker_.reactor.now(), net::TimerWheel::kTick);
    if (limit == Duration::zero() || left < limit) limit = left;
  }
  if (limit > Duration::zero()) worker_.reactor.arm(route_deadline_, limit);
}

/// The client has ended its direction. With nothing left to read it is taken to have left, as Envoy, NGINX and Go do;
/// with a pipelined request still unread, or a body that the upload reads to its end, it has not. A reset always means it.
void Exchange::client_hung_up(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  if (!exchange->client_has_left()) {
    exchange->client_->stream().on_hangup(&Exchange::client_hung_up, self);  // a reset may follow
    return;
  }
  exchange->client_gone_ = true;
  exchange->cancel_upstream();
}

bool Exchange::client_has_left() {
  if (client_->stream().broken()) return true;
  const bool has_body = request_.framing != http::Framing::None;
  if (has_body && !upload_complete()) return false;
  const bool pipelined = has_body ? !body_.empty() : client_->received().size() > head_bytes_;
  return !pipelined && client_->stream().at_end();
}

void Exchange::route_expired(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  net::ByteStream& client = exchange->client_->stream();
  if (!exchange->tunnel_ && client.is_sending()) {  // it does not read its response: nobody's failure but its own
    exchange->client_gone_ = true;
    client.cancel();
    return;
  }
  if (exchange->tunnel_) return exchange->watch_revert();
  exchange->timed_out_ = true;
  exchange->call_expired_ = exchange->worker_.reactor.now() >= exchange->call_deadline_;
  exchange->cancel_upstream();
}

void Exchange::leave() {
  if (tunnel_) tunnel_->leave();
}

void Exchange::cut_off() noexcept {
  cut_off_ = true;
  if (tunnel_) return tunnel_->cancel();
  cancel_upstream();
}

/// The exchange may be over, and serve another request already, when this returns.
void Exchange::cancel_upstream() noexcept {
  if (lease_) {
    lease_->stream.cancel();
  } else {
    acquisition_.cancel();
  }
}

// --- one attempt

Task<> Exchange::attempt() {
  if (upload_) {  // of an attempt that is made again: nothing of the body is gone
    co_await end_upload();
    upload_end_ = PumpEnd::Canceled;
    needs_linger_ = false;
  }
  ++attempts_;
  failure_ = Failure::None;
  failure_counted_ = dispatched_ = false;
  attempt_started_ = worker_.reactor.now();
  if (client_gone_ || cut_off_) {
    failure_ = Failure::Canceled;
    co_return;
  }
  if (!take_idle_connection()) {
    const bool connected = co_await connect();  // never in the condition itself: see base/task.h
    if (!connected) co_return;
  }
  encode_request_head();
  if (request_.framing != http::Framing::None) {
    upload_ = upload();
    upload_.start();
  } else {
    net::IoStatus sent = net::IoStatus::Ok;
    if (http::Frames* const frames = lease_->frames) {
      if (!frames->send_head(encoded_, upgrade_.empty())) sent = net::IoStatus::Reset;
    } else {
      const iovec part{encoded_.data(), encoded_.size()};
      const net::IoResult result = co_await lease_->stream.send({&part, 1}, cluster().pool.policy().timeouts.idle);
      sent = result.status;
    }
    encoded_.release();  // while the answer is awaited nothing but the request's own bytes is held
    launch_mirror();
    if (sent != net::IoStatus::Ok) co_return settle_send(sent);
  }
  co_await read_response_head();
}

/// For the gate: counted when the request leaves for the side, not while it waits in Tidegate's own queue.
void Exchange::dispatched(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  exchange->dispatched_ = true;
  if (exchange->reuse_ == upstream::Reuse::Never) return;  // the same request again, on a new connection
  exchange->route_->ledger->dispatched(exchange->side_, exchange->split_.step);
  if (exchange->request_.framing == http::Framing::None) exchange->start_slow_clock();
}

/// From the dispatch, or from the end of the request's body: what a client takes to send it is not the side's time.
void Exchange::start_slow_clock() {
  const Duration over = route_->slow_over;
  if (over == Duration::zero()) return;
  slow_after_ = worker_.reactor.now() + over;
  worker_.reactor.arm(slow_clock_, over);
}

/// The response's head, or the attempt's end, came first.
void Exchange::end_slow_clock() {
  if (!slow_clock_.armed()) return;
  slow_clock_.disarm();
  if (worker_.reactor.now() > slow_after_) became_slow(this);
}

/// The gate knows at `over`, not when the answer comes (the gate's rule §3.2).
void Exchange::became_slow(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  const std::uint32_t step = exchange->route_->route->live->split().step;
  exchange->route_->ledger->slow(exchange->side_, exchange->split_.step, step);
}

/// Whom the cluster is told about, where it is told.
upstream::Client* Exchange::announced() {
  return cluster().pool.policy().proxy_protocol ? &client_->session().client() : nullptr;
}

/// Where the protocol is for TLS to agree on, HTTP/1.1 is what every server can change from.
upstream::Carrying Exchange::carrying() const noexcept {
  const bool chosen = cluster().pool.policy().protocol == upstream::Protocol::Http2;
  return upgrade_.empty() || chosen ? upstream::Carrying::Any : upstream::Carrying::One;
}

/// The usual way to a connection: no waiting, no coroutine.
bool Exchange::take_idle_connection() {
  upstream::Pool& pool = cluster().pool;
  if (reuse_ != upstream::Reuse::Never && !http::is_idempotent(request_.method)) reuse_ = upstream::Reuse::Certain;
  lease_ = pool.take_idle(reuse_, announced(), carrying(), avoided_);
  if (!lease_) return false;
  dispatched(this);
  upstream_host_ = pool.endpoint_text(*lease_);
  return true;
}

Task<bool> Exchange::connect() {
  upstream::Pool& pool = cluster().pool;
  acquisition_.on_dispatch(&Exchange::dispatched, this);
  upstream::Acquired acquired = co_await pool.acquire(acquisition_, reuse_, announced(), carrying(), avoided_);
  upstream_host_ = acquired.endpoint;
  if (acquired.failure != Failure::None) {
    if (acquired.failure == Failure::Overflow && acquired.error_number != 0) {
      refusal_reason_ = "no descriptor, port or memory for an upstream connection";
    }
    fail(acquired.failure);
    launch_mirror();
    co_return false;
  }
  lease_ = std::move(acquired.lease);
  upstream_host_ = pool.endpoint_text(*lease_);
  co_return true;
}

void Exchange::encode_request_head() {
  RequestContext context = request_context();
  context.host = cluster().pool.policy().host;
  context.upgrade = upgrade_;
  if (upgrade_ == http::kWebSocket && client_->frames() != nullptr) {
    websocket_key_ = http::make_websocket_key(worker_.random.next(), worker_.random.next());
    context.websocket_key = http::text(websocket_key_);
  }
  if (!context.host && request_.authority.empty()) context.host = cluster().pool.endpoint(*lease_).authority();  // HTTP/1.0 without Host
  Buffer& out = request_.framing == http::Framing::None ? encoded_ : encoded_up_;
  out.clear();
  encode_request(out, request_, context);
}

/// The request could not be sent.
void Exchange::settle_send(net::IoStatus status) {
  if (status == net::IoStatus::Reset && is_stale_connection()) {
    stale_ = true;
    failure_ = Failure::Reset;
    return;
  }
  fail(status == net::IoStatus::TimedOut ? Failure::Timeout
       : status == net::IoStatus::Canceled ? Failure::Canceled
                                           : Failure::Reset);
}

/// Carries the request's body up, beside the reading of the response.
Task<> Exchange::upload() {
  uploading_ = true;
  request_body_.start(request_.framing, request_.content_length);
  upload_pump_.emplace(client_->stream(), body_, request_body_, lease_->stream, encoded_up_);
  Pump& pump = *upload_pump_;
  pump.source_frames = client_->frames();
  pump.sink_frames = lease_->frames;
  pump.chunked = pump.sink_frames == nullptr && http::needs_chunks(request_.framing, request_.has_content_length);
  pump.source_timeout = client_->session().policy().body_idle_timeout;
  pump.sink_timeout = cluster().pool.policy().timeouts.idle;
  pump.most_bytes = client_->session().policy().body_bytes;
  pump.tee = copy_;
  const SessionPolicy& policy = client_->session().policy();
  if (policy.min_request_rate > 0 && !call_) {
    upload_pace_.start(policy.min_request_rate, policy.rate_grace, 0, worker_.reactor.now());
    watch_pace();
  }
  PumpEnd end = co_await forward::run(pump);
  if (too_slow_ && !client_gone_) end = PumpEnd::SourceTimedOut;
  bytes_received_ = pump.bytes;
  uploading_ = false;
  upload_pace_.stop();
  on_upload_end(end);
}

void Exchange::on_upload_end(PumpEnd end) {
  upload_end_ = end;
  if (copy_ != nullptr) {
    if (end == PumpEnd::SinkEnded && !upload_pump_->consumed) copy_->drop(observe::MirrorDrop::Shutdown);  // it had what is sent again
    if (end == PumpEnd::Complete) {
      copy_->end();
    } else {
      copy_->abandon();
    }
    copy_ = nullptr;
  }
  switch (end) {
    case PumpEnd::Complete:  // from now on the response is awaited
      if (!response_begun_) {
        start_route_clock();
        start_slow_clock();
      }
      if (lease_) lease_->stream.restart_read_timeout(cluster().pool.policy().timeouts.response_header);
      if (client_->stream().ended()) client_hung_up(this);
      return;
    case PumpEnd::SinkEnded:  // the response may be on its way, or the reading finds the same
      if (!response_begun_ && failure_ == Failure::None) {
        start_route_clock();
        start_slow_clock();
      }
      if (lease_) lease_->stream.restart_read_timeout(cluster().pool.policy().timeouts.response_header);
      return;
    case PumpEnd::SinkTimedOut: break;  // it neither reads nor answers: the reading ends as a timeout
    case PumpEnd::Canceled: return;
    case PumpEnd::SourceEnded: client_gone_ = true; break;
    case PumpEnd::SourceTimedOut: client_fault_ = 408; refusal_reason_ = too_slow_ ? kSlowRequest : "request body not received in time"; break;
    case PumpEnd::SourceTooLong: client_fault_ = 413; refusal_reason_ = "request body too long"; break;
    case PumpEnd::SourceRefused: client_fault_ = 400; refusal_reason_ = request_body_.refusal(); break;
  }
  if (!response_begun_ || client_gone_) cancel_upstream();
}

Task<> Exchange::read_response_head() {
  const upstream::ClusterTimeouts& timeouts = cluster().pool.policy().timeouts;
  response_decoder_.reset(request_.method);
  TimePoint deadline = worker_.reactor.now() + timeouts.response_header;
  int informational = 0;
  for (;;) {
    const http::HeadState state = lease_->take_head(response_decoder_, response_);
    if (state != http::HeadState::NeedMore) {
      if (state == http::HeadState::Refused) {
        refusal_reason_ = response_decoder_.refusal().reason;
        co_return fail(Failure::Protocol);
      }
      if (state == http::HeadState::Done && response_.status >= 200) break;
      if (state == http::HeadState::Done && is_switch() && is_accepted()) break;
      if (state == http::HeadState::Done) {
        if (response_.status == 101 || ++informational > http::kInformationalResponses) {
          refusal_reason_ = "unexpected informational response";
          co_return fail(Failure::Protocol);
        }
        const bool relayed = co_await relay_informational();
        if (!relayed) co_return fail(Failure::Canceled);
        lease_->drop_head(response_decoder_);
        response_decoder_.reset(request_.method);
        continue;
      }
    }
    Duration left = Duration::zero();  // while the body still goes up, its own progress is the clock
    if (!uploading_) {
      left = deadline - worker_.reactor.now();
      if (left <= Duration::zero()) left = net::TimerWheel::kTick;
    }
    const net::IoResult read = co_await lease_->await_head(left);
    if (uploading_) deadline = worker_.reactor.now() + timeouts.response_header;
    switch (read.status) {
      case net::IoStatus::Ok: break;
      case net::IoStatus::TimedOut: co_return fail(Failure::Timeout);
      case net::IoStatus::Canceled:
        co_return fail(timed_out_ || upload_end_ == PumpEnd::SinkTimedOut ? Failure::Timeout : Failure::Canceled);
      case net::IoStatus::NotSpliced:  // never here: a head is read into a buffer
      case net::IoStatus::Eof:
      case net::IoStatus::Reset:
        if (lease_->frames != nullptr && !lease_->frames->refusal().empty()) co_return do_without_tunnel();
        if (!is_stale_connection()) co_return fail(Failure::Reset);
        stale_ = true;
        failure_ = Failure::Reset;
        co_return;
    }
  }
  service_time_ = worker_.reactor.now() - attempt_started_;
  end_slow_clock();
  cluster().pool.note(*lease_, response_.status >= 500);
  if (is_error(route_->errors, response_.status)) count_failure(Failure::Status);
}

/// The peer had closed an idle connection just when the request was written, or says that it did nothing with it: nobody's
/// failure, and safe to do again (RFC 9112 §9.3.1, RFC 9110 §9.2.2, RFC 9113 §8.7).
bool Exchange::is_stale_connection() const {
  if (reuse_ == upstream::Reuse::Never) return false;
  const bool unprocessed = lease_->frames != nullptr && lease_->frames->unprocessed();
  if (request_.framing != http::Framing::None) {
    return unprocessed && (uploading_ || upload_end_ == PumpEnd::SinkEnded) && !upload_pump_->consumed;
  }
  if (unprocessed) return true;
  // A stream that the upstream resets it has looked at; only a connection that went under it may have been idle for the peer.
  if (lease_->frames != nullptr && !lease_->frames->connection_lost()) return false;
  return lease_->is_reused() && lease_->received.empty() && http::is_idempotent(request_.method);
}

/// The upstream speaks HTTP/2 and does not offer RFC 8441. An Upgrade may be ignored (RFC 9110 §7.8): the request is made again as an
/// ordinary one. An extended CONNECT is nothing else. Neither is a failure of the side: any client could make it fail.
void Exchange::do_without_tunnel() {
  if (client_->frames() == nullptr) {
    upgrade_ = {};
    stale_ = true;
    failure_ = Failure::Reset;
    return;
  }
  client_fault_ = 501;
  refusal_reason_ = lease_->frames->refusal();
  fail(Failure::Canceled);
}

Task<bool> Exchange::relay_informational() {
  if (is_http10(request_)) co_return true;  // RFC 9110 §15.2: not to an HTTP/1.0 client
  encoded_.clear();
  encode_informational(encoded_, response_);
  const bool sent = co_await send_head();
  co_return sent;
}

/// The head in `encoded_`, which something follows. @return false: the client is gone.
Task<bool> Exchange::send_head() {
  if (http::Frames* const frames = client_->frames()) {
    client_gone_ = !frames->send_head(encoded_, false);
    encoded_.release();
    co_return !client_gone_;
  }
  const iovec part{encoded_.data(), encoded_.size()};
  const net::IoResult sent = co_await client_->stream().send({&part, 1}, client_->session().policy().body_idle_timeout);
  encoded_.release();
  if (sent.status == net::IoStatus::Ok) co_return true;
  client_gone_ = true;
  co_return false;
}

void Exchange::fail(Failure why) {
  // An upstream keeps the deadline of a call as well, and may be the first to act.
  if (call_deadline_ <= worker_.reactor.now() + net::TimerWheel::kTick) call_expired_ = true;
  if (call_expired_) why = Failure::Canceled;
  if (why == Failure::Canceled && timed_out_ && !client_gone_ && !call_expired_) why = Failure::Timeout;
  if (why == Failure::Timeout && !dispatched_) why = Failure::Overflow;  // it waited in Tidegate's own queue
  failure_ = why;
  end_slow_clock();
  if (call_expired_ && is_grpc_error(route_->errors, static_cast<std::uint32_t>(http::GrpcCode::DeadlineExceeded))) {
    count_failure(Failure::Status);
  }
  if (why == Failure::Canceled) return;
  if (lease_) cluster().pool.note(*lease_, true);
  count_failure(why);
}

/// Against the side, once an attempt, as soon as it is known (the gate's rule §3.1).
void Exchange::count_failure(Failure why) {
  if (failure_counted_) return;
  failure_counted_ = true;
  cluster().counters.fail(why);
  if (counts_for_gate(route_->errors, why)) {
    const std::uint32_t step = route_->route->live->split().step;
    route_->ledger->failed(side_, split_.step, step);
    const bool judged = side_ == Side::New && split_.step == step && route_->samples != nullptr;
    if (judged && route_->samples->wants(worker_.reactor.now())) sample_failure(why);
  }
}

/// For the record of a revert.
void Exchange::sample_failure(Failure why) {
  observe::FailureSample sample;
  sample.at_ms = wall_clock_ms();
  sample.at = worker_.reactor.now();
  sample.method = request_.method_token;
  sample.path = observe::redacted_path(request_.target);
  sample.upstream = upstream_host_;
  sample.request_id = observe::redacted_id(request_id_);
  sample.why = why;
  sample.status = why == Failure::Status ? response_.status : std::uint16_t{0};
  sample.after_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(sample.at - attempt_started_).count());
  route_->samples->note(std::move(sample));
}

bool Exchange::prepare_retry() {
  if (std::exchange(stale_, false)) {
    if (!client_gone_ && !cut_off_ && !timed_out_) {
      lease_.drop();
      reuse_ = upstream::Reuse::Never;
      --attempts_;
      return true;
    }
    fail(timed_out_ ? Failure::Timeout : Failure::Canceled);
  }
  const RetryDecision decision = decide_retry(
      RetryQuestion{*route_, request_, failure_, failure_ == Failure::None ? response_.status : std::uint16_t{0}, side_,
                    attempts_, on_budget_, client_gone_ || cut_off_ || timed_out_ || client_fault_ != 0});
  if (!decision.retry) return false;
  avoided_ = lease_ && decision.side == side_ ? lease_->target() : upstream::Pool::kNobody;
  lease_.drop();  // no upload is running: a request with a body is not made again by the route's wish
  reuse_ = upstream::Reuse::Any;
  refusal_reason_ = {};
  if (decision.uses_budget && !on_budget_) {
    on_budget_ = true;
    ++route_->retrying;
  }
  split_ = decision.split;
  side_ = decision.side;
  route_->counters->retries[side_].add();
  return true;
}

// --- the answer

Task<> Exchange::deliver() {
  const bool never_has_body = http::has_no_body(request_.method, response_.status);
  const bool no_body = never_has_body || response_.framing == http::Framing::None;
  if (no_body && !never_has_body) response_.has_content_length = true;  // of 0: HTTP/2 ends a message with its head, HTTP/1.1 has to say so
  const bool length_known = no_body || !http::needs_chunks(response_.framing, response_.has_content_length);
  ResponseContext context;
  if (client_->frames() == nullptr) {
    context.client_is_http10 = is_http10(request_);
    context.chunked = !length_known && !context.client_is_http10;
    context.close = !request_.keep_alive || !upload_complete() || client_->session().is_closing() || (!length_known && !context.chunked);
  }
  encoded_.clear();
  encode_response(encoded_, response_, context);
  status_ = response_.status;
  if (call_) call_code_ = http::grpc_code(response_, nullptr);
  lease_->drop_head(response_decoder_);
  response_body_.start(no_body ? http::Framing::None : response_.framing, response_.content_length);
  if (!upgrade_.empty() && lease_->frames != nullptr) lease_->stream.shutdown_send();  // refused: there is nothing to carry

  if (call_ && uploading_ && copy_ != nullptr) copy_->drop(observe::MirrorDrop::Bidirectional);  // it talks while it is talked to

  Pump pump(lease_->stream, lease_->received, response_body_, client_->stream(), encoded_);
  pump.source_frames = lease_->frames;
  pump.sink_frames = client_->frames();
  pump.chunked = context.chunked;
  pump.source_timeout = cluster().pool.policy().timeouts.idle;
  pump.sink_timeout = client_->session().policy().body_idle_timeout;
  response_begun_ = true;
  upload_pace_.stop();  // it may talk while it is talked to
  const SessionPolicy& policy = client_->session().policy();
  if (policy.min_response_rate > 0) {
    delivery_ = &pump;
    delivery_pace_.start(policy.min_response_rate, policy.rate_grace, Pace::kWindowBytes, worker_.reactor.now());
    watch_pace();
  }
  const PumpEnd end = co_await forward::run(pump);
  delivery_ = nullptr;
  delivery_pace_.stop();
  response_begun_ = pump.begun;
  bytes_sent_ = pump.bytes;
  survives_ = end == PumpEnd::Complete && !context.close;
  if (end == PumpEnd::Complete && !upload_complete()) needs_linger_ = true;  // what is unread would reset the connection under the answer
  if (call_) settle_call(pump, end);
  settle_delivery(pump, end);
  if (end != PumpEnd::Complete) co_await end_upstream();
  if (!response_begun_ && !client_gone_ && failure_ != Failure::None) co_await answer_failure();
}

/// From here on the connections are one. The gate and the metrics have their outcome now; the tunnel may last for days.
Task<> Exchange::switch_protocols() {
  lease_->drop_head(response_decoder_);
  net::ByteStream& client = client_->stream();
  client.on_hangup(nullptr, nullptr);
  route_deadline_.disarm();
  response_begun_ = true;
  const bool sent = co_await send_switch();
  if (!sent) co_return;
  was_tunnel_ = true;
  count_outcome();
  const std::string_view early = client_->received().view().substr(head_bytes_);  // sent before the answer came
  body_.append(early);
  client_->received().drop_back(early.size());
  const route::UpgradePolicy& policy = route_->route->policy.upgrade;
  tunnel_ = std::make_unique<Tunnel>(Tunnel::End{client, body_, client_->frames()},
                                     Tunnel::End{lease_->stream, lease_->received, lease_->frames},
                                     policy.idle_timeout, upgrade_ == http::kWebSocket);
  route_->counters->upgraded[side_].add(1);
  if (policy.close_on_revert && side_ == Side::New) watch_revert();
  if (worker_.closing_idle()) tunnel_->leave();
  const TunnelEnd end = co_await tunnel_->run();
  route_->counters->upgraded[side_].add(-1);
  route_deadline_.disarm();
  bytes_received_ = tunnel_->bytes_up();
  bytes_sent_ = tunnel_->bytes_down();
  tunnel_.reset();
  body_.release();
  if (end == TunnelEnd::ClientBroke) client_gone_ = true;
  truncated_ = end == TunnelEnd::UpstreamBroke || end == TunnelEnd::Idle;
}

Task<bool> Exchange::send_switch() {
  SwitchContext context{upgrade_};
  http::WebSocketAccept accept{};
  if (client_->frames() != nullptr) {
    context.status = 200;
    context.websocket_accept = std::string_view();
  } else if (lease_->frames != nullptr && upgrade_ == http::kWebSocket) {
    accept = http::websocket_accept(request_.fields.sole(http::kWebSocketKeyName));
    context.websocket_accept = http::text(accept);
  }
  status_ = context.status;
  encoded_.clear();
  encode_switch(encoded_, response_, context);
  const bool sent = co_await send_head();
  co_return sent;
}

/// Looks now and then whether new still has a share; once it has not, the connection leaves at a moment of its own.
void Exchange::watch_revert() {
  constexpr Duration kLook = std::chrono::milliseconds(200);
  if (leaving_) return tunnel_->leave();
  if (route_->route->live->split().weight != Weight::none()) return worker_.reactor.arm(route_deadline_, kLook);
  leaving_ = true;
  const double part = static_cast<double>(worker_.random.next() >> 11) * 0x1.0p-53;
  const auto wait = std::chrono::duration_cast<Duration>(route_->route->policy.upgrade.close_jitter * part);
  worker_.reactor.arm(route_deadline_, std::max<Duration>(wait, net::TimerWheel::kTick));
}

/// The status of a call is in its trailers, or in its head when it has no body.
void Exchange::settle_call(const Pump& pump, PumpEnd end) {
  if (end != PumpEnd::Complete) {
    call_code_ = http::GrpcCode::Internal;  // what a client makes of the reset that it gets
    return;
  }
  if (const http::FieldList* const trailers = pump.trailers()) {
    if (const auto code = http::grpc_status(*trailers)) call_code_ = *code;
  }
  if (is_grpc_error(route_->errors, static_cast<std::uint32_t>(call_code_))) count_failure(Failure::Status);
}

/// A few times a grace: often enough for the grace to mean what it says, and seldom enough to cost nothing.
void Exchange::watch_pace() {
  if (pace_clock_.armed()) return;
  const Duration look = client_->session().policy().rate_grace / 8;
  worker_.reactor.arm(pace_clock_, std::clamp<Duration>(look, net::TimerWheel::kTick, std::chrono::seconds(1)));
}

/// Its body is waited for when nothing of it waits for the upstream, and it was told to go on.
bool Exchange::sends_too_slowly(TimePoint now) noexcept {
  if (!uploading_ || !upload_pace_.active()) return false;
  const bool waits = !lease_->stream.is_sending() && !(request_.expects_continue && upload_pump_->bytes == 0);
  return !upload_pace_.keeps_up(static_cast<std::int64_t>(upload_pump_->bytes), waits, now);
}

bool Exchange::reads_too_slowly(TimePoint now) noexcept {
  if (delivery_ == nullptr) return false;
  const net::ByteStream& client = client_->stream();
  return !delivery_pace_.keeps_up(static_cast<std::int64_t>(delivery_->bytes) + client.taken(), client.is_sending(), now);
}

/// Ends the client's part as its idle timeout would: nobody's failure. The exchange may be over when a cancel returns.
void Exchange::look_at_pace(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  const TimePoint now = exchange->worker_.reactor.now();
  net::ByteStream& client = exchange->client_->stream();
  if (exchange->sends_too_slowly(now)) {
    exchange->too_slow_ = true;
    exchange->worker_.counters.slow_requests.add();
    client.cancel_read();
  } else if (exchange->reads_too_slowly(now)) {
    exchange->too_slow_ = exchange->client_gone_ = true;
    exchange->refusal_reason_ = kSlowResponse;
    exchange->worker_.counters.slow_responses.add();
    client.cancel();
  } else if (exchange->upload_pace_.active() || exchange->delivery_ != nullptr) {
    exchange->watch_pace();
  }
}

/// What the end of the response means for the connections and for the side.
void Exchange::settle_delivery(const Pump& pump, PumpEnd end) {
  switch (end) {
    case PumpEnd::Complete:
      if (response_.keep_alive && upload_complete()) lease_.give_back();
      return;
    case PumpEnd::SinkEnded:
    case PumpEnd::SinkTimedOut: client_gone_ = true; break;
    case PumpEnd::SourceEnded: fail(Failure::Reset); break;
    case PumpEnd::SourceTimedOut: fail(Failure::Timeout); break;
    case PumpEnd::SourceTooLong:
    case PumpEnd::SourceRefused: fail(Failure::Protocol); break;
    case PumpEnd::Canceled: fail(Failure::Canceled); break;
  }
  // RFC 9112 §8: the client must see that the response is not whole. A chunked or counted body ends early; where the end
  // of the connection is the end of the body only a reset tells.
  truncated_ = pump.begun && !client_gone_;
  must_reset_ = too_slow_ && client_gone_;  // or the kernel would go on keeping what it does not read
  must_reset_ |= truncated_ && !pump.chunked && http::needs_chunks(response_.framing, response_.has_content_length);
}

Task<> Exchange::answer_failure() {
  co_await end_upstream();
  if (client_gone_ || cut_off_) co_return;
  if (client_fault_ != 0) {
    needs_linger_ = true;
    co_await reply(client_fault_, refusal_reason_);
    co_return;
  }
  if (call_expired_) {
    co_await reply(504, "deadline exceeded");
  } else {
    co_await reply(reply_status(failure_), reply_text(failure_));
  }
}

/// A response of Tidegate's own. The connection lives on when the request was read to its end.
Task<> Exchange::reply(std::uint16_t status, std::string_view text) {
  status_ = status;
  const bool whole = head_bytes_ != 0 && upload_complete();
  const bool framed = client_->frames() != nullptr;
  const bool close = !framed && (!whole || !request_.keep_alive || client_->session().is_closing());
  encoded_.clear();
  bool no_body = head_bytes_ != 0 && request_.method == http::Method::Head;
  if (call_) {
    call_code_ = http::grpc_code_of(status);
    status_ = 200;
    no_body = true;
    encode_call_failure(encoded_, call_code_, text);
  } else {
    encode_local_reply(encoded_, status, text, close);
  }
  const net::IoResult sent = co_await send_reply(no_body ? std::string_view() : text);
  if (sent.status == net::IoStatus::Ok) {
    bytes_sent_ = text.size() + 1;
    survives_ = !close;
    needs_linger_ = needs_linger_ || !whole;
  } else {
    client_gone_ = true;
  }
}

/// The head in `encoded_` and the text, which is one line; none: without a body.
Task<net::IoResult> Exchange::send_reply(std::string_view text) {
  std::array<iovec, 3> parts;
  std::size_t count = 0;
  http::Frames* const frames = client_->frames();
  if (frames == nullptr) {
    parts[count++] = {encoded_.data(), encoded_.size()};
  } else {
    frames->send_head(encoded_, text.empty());
    frames->finish(nullptr);
  }
  static constexpr std::string_view kLineEnd = "\n";
  if (!text.empty()) {
    for (const std::string_view part : {text, kLineEnd}) parts[count++] = {const_cast<char*>(part.data()), part.size()};
  }
  const std::span<const iovec> all(parts.data(), count);
  co_return co_await client_->stream().send(all, client_->session().policy().body_idle_timeout);
}

/// The response is out (or nobody wants it): what still goes up has no purpose.
Task<> Exchange::end_upload() {
  if (uploading_) {
    needs_linger_ = true;
    client_->stream().cancel_read();
    if (lease_) lease_->stream.cancel();
  }
  co_await upload_.join();
  upload_.destroy();
}

/// The upload waits on the lease's stream or on the client: it ends before the lease does.
Task<> Exchange::end_upstream() {
  if (upload_) co_await end_upload();
  lease_.drop();
}

void Exchange::finish() {
  client_->stream().on_hangup(nullptr, nullptr);
  route_deadline_.disarm();
  slow_clock_.disarm();
  pace_clock_.disarm();
  launch_mirror();
  if (copy_ != nullptr) std::exchange(copy_, nullptr)->abandon();
  if (client_gone_ && !response_begun_) status_ = 499;
  count_outcome();
  if (worker_.access_log != nullptr) log();
  lease_.drop();
  if (truncated_ || client_gone_ || cut_off_) survives_ = needs_linger_ = false;
  if (route_ != nullptr) --std::exchange(route_, nullptr)->generation->exchanges;  // from here on the route may be gone
  settle_buffers();
}

void Exchange::count_outcome() {
  if (std::exchange(counted_, true)) return;
  observe::SideCounters* counters = &worker_.counters.unrouted;
  if (route_ != nullptr) {
    counters = has_side_ ? &route_->counters->sides[side_] : &route_->counters->no_side;
    --route_->in_flight;
    route_->counters->in_flight.add(-1);
    if (on_budget_) --route_->retrying;
    if (attempts_ > 1 && failure_ == Failure::None && status_ < 500) route_->counters->rescued[side_].add();
  }
  if (status_ == 0) return;  // cut off before anything was answered
  const http::Method method = head_bytes_ != 0 ? request_.method : http::Method::Other;
  counters->add(method, status_);
  if (call_ && has_side_) {
    const http::GrpcCode code = client_gone_ ? http::GrpcCode::Cancelled : call_code_;
    route_->counters->grpc[side_][static_cast<std::size_t>(code)].add();
  }
  counters->latency.add(Clock::now() - started_);
}

void Exchange::log() {
  observe::AccessRecord record;
  const Duration duration = Clock::now() - started_;
  record.start_time_ms = wall_clock_ms() - std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (head_bytes_ != 0) {
    record.method = request_.method_token;
    record.path = request_.target;
    record.protocol = request_.major_version == 2 ? "HTTP/2" : is_http10(request_) ? "HTTP/1.0" : "HTTP/1.1";
    record.x_forwarded_for = request_.fields.first(http::FieldId::XForwardedFor);
    record.user_agent = request_.fields.first(http::FieldId::UserAgent);
    record.authority = request_.authority;
  }
  record.response_code = status_;
  record.response_flags = response_flags(failure_, client_gone_, route_ != nullptr, head_bytes_ != 0, client_fault_ != 0);
  record.bytes_received = bytes_received_;
  record.bytes_sent = bytes_sent_;
  record.duration = duration;
  record.upstream_service_time = service_time_;
  record.request_id = request_id_;
  record.trace_id = trace_id_;
  record.upstream_host = upstream_host_;
  record.downstream_remote_address = client_->session().peer_with_port();
  if (route_ != nullptr) record.route_name = route_->route->policy.name;
  if (has_side_) {
    record.side = name(side_);
    record.upstream_cluster = cluster().pool.policy().name;
    record.epoch = split_.epoch;
    record.reason = attempts_ > 1 ? "retry" : spilled_ ? "spill" : "weight";
  }
  if (!refusal_reason_.empty()) record.reason = refusal_reason_;
  record.mirrored = mirrored_;
  worker_.access_log->write(record);
}

/// What follows the request in the connection becomes the front of the session's buffer.
void Exchange::settle_buffers() {
  Buffer& received = client_->received();
  if (request_.framing != http::Framing::None && head_bytes_ != 0) {
    received.clear();
    received.swap(body_);
    body_.release();
  } else {
    received.consume(std::min(head_bytes_, received.size()));
  }
  encoded_.release();
  encoded_up_.release();
}

}  // namespace tidegate::forward
