// One request with its response, from head to outcome: the story of the proxy. run() reads as the phases in order; what
// each phase does is in the files beside exchange.cpp that have its name, or in one of its own (body_pump, rewrite, retry, outcome).
//
// Two things can happen at once: the request's body goes up (`upload_`) while the response comes down. Whatever ends the
// exchange early (the client leaves, the route's time is over, the worker ends) cancels the upstream side; the phases see
// Canceled and the reason is in the flags.
//
// Exchanges are kept by their worker for reuse: a request in the steady state allocates nothing. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/side.h"
#include "base/task.h"
#include "forward/body_pump.h"
#include "forward/hedge.h"
#include "forward/pace.h"
#include "forward/pause.h"
#include "forward/retry.h"
#include "forward/tunnel.h"
#include "http/h1_body.h"
#include "http/grpc.h"
#include "http/h1_head.h"
#include "http/websocket_handshake.h"
#include "net/reactor.h"
#include "route/live.h"
#include "upstream/pool.h"

namespace tidegate::forward {

class Downstream;
class Session;
class Worker;
struct ClusterRuntime;
struct RequestContext;
struct RouteRuntime;
class UsualTime;

class Exchange final : public net::Retirable {
 public:
  explicit Exchange(Worker& worker);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Begins anew, for a client whose request is being read.
  void attach(Downstream& client);
  http::RequestHead& request() noexcept { return request_; }

  /// The head is complete: `head_bytes` at the front of the client's buffer.
  void begin(std::size_t head_bytes);
  Task<> run();
  /// Instead of begin() and run(): the head was refused.
  Task<> refuse(const http::Refusal& refusal);
  /// The worker ends.
  void cut_off() noexcept;
  /// The worker drains: an upgraded connection is asked to end, which may take it a moment.
  void leave();

  // --- after run() or refuse()
  /// The client's connection can carry another request; its buffer then begins with it.
  bool connection_survives() const noexcept { return survives_; }
  /// The response went out, but bytes of the request may still come.
  bool needs_linger() const noexcept { return needs_linger_; }
  /// Only a reset tells the client that its response is not whole.
  bool must_reset() const noexcept { return must_reset_; }
  /// The client has not left, nor was it left.
  bool client_is_there() const noexcept { return !client_gone_ && !cut_off_; }
  /// What the client was sent is a whole response.
  bool response_whole() const noexcept { return !truncated_ && client_is_there(); }
  /// The client has said that this request is its last one, and has sent all of it: it sends nothing more (RFC 9112 §9.6).
  bool client_is_done() const noexcept { return head_bytes_ != 0 && !request_.keep_alive && upload_complete() && !was_tunnel_; }
  /// The connection, or stream, had changed its protocol.
  bool was_tunnel() const noexcept { return was_tunnel_; }

 private:
  // phases, in order
  bool has_listeners_scheme();
  bool has_hops_left();
  bool settle_path();
  bool find_route();
  void identify();
  void choose_side();
  void consider_spill();
  bool consider_upgrade();
  std::string_view wanted_protocol() const;
  void consider_mirror();
  void watch_client();
  void start_route_clock(Duration of_side);
  Task<> attempt();
  bool wants_retry();
  RetryDecision retry_decision() const;
  Task<bool> begin_retry();
  Task<> deliver();
  Task<> switch_protocols();
  Task<> answer_failure();
  Task<> reply(std::uint16_t status, std::string_view text);
  Task<net::IoResult> send_reply(std::string_view text);
  Task<> end_upload();
  Task<> rewind_upload();
  Task<> end_upstream();
  void finish();

  // parts of attempt()
  upstream::Client* announced();
  upstream::Carrying carrying() const noexcept;
  bool take_idle_connection();
  Task<bool> connect();
  void encode_request_head();
  void settle_send(net::IoStatus status);
  Task<> upload();
  std::size_t replay_bytes() const noexcept;
  bool holds_body() const noexcept { return !upload_pump_ || !upload_pump_->consumed; }
  void on_upload_end(PumpEnd end);
  void await_response();
  Task<> read_response_head();
  void accept_head();
  Task<bool> relay_informational();
  static void dispatched(void* self);
  static bool may_leave_the_queue(void* self);
  static void set_out(void* self);
  void start_clocks();
  static void left_the_queue(void* self);
  bool turn_to_old();
  void start_try_clock();
  static void try_expired(void* self);
  bool may_hedge() const noexcept;
  UsualTime& usual_time();
  void plan_hedge();
  static void hedge_due(void* self);
  void start_hedge();
  static void hedge_won(void* self);
  static bool wants_hedge(void* self);
  Task<> give_up_hedge();
  Task<> settle_hedge();
  bool take_budget() noexcept;
  void start_slow_clock();
  void end_slow_clock();
  static void became_slow(void* self);
  bool is_stale_connection() const;
  void do_without_tunnel();
  void fail(Failure why);
  void count_failure(Failure why);
  void charge(Failure why);
  void sample_failure(Failure why);

  // parts of deliver()
  void settle_delivery(const Pump& pump, PumpEnd end);
  bool upload_complete() const noexcept { return !uploading_ && upload_end_ == PumpEnd::Complete; }

  // the client's pace, where the listener asks for one
  void watch_pace();
  bool sends_too_slowly(TimePoint now) noexcept;
  bool reads_too_slowly(TimePoint now) noexcept;
  static void look_at_pace(void* self);

  void cancel_upstream() noexcept;
  void cancel_attempt() noexcept;
  /// Nobody waits for an answer any more, or the time is over.
  bool has_ended() const noexcept { return client_gone_ || cut_off_ || timed_out_ || try_expired_; }
  bool is_switch() const noexcept;
  bool is_accepted() const noexcept;
  Task<bool> send_switch();
  Task<bool> send_head();
  void watch_revert();
  void launch_mirror();
  static void client_hung_up(void* self);
  bool client_has_left();
  static void route_expired(void* self);

  void count_outcome();
  void settle_call(const Pump& pump, PumpEnd end);
  void log();
  void settle_buffers();

  bool is_http10() const noexcept { return request_.major_version == 1 && request_.minor_version == 0; }
  ClusterRuntime& cluster() const noexcept;
  RequestContext request_context() const;
  const route::HeaderEdits* route_edits() const noexcept;

  Worker& worker_;
  Downstream* client_ = nullptr;

  http::RequestHead request_;
  http::ResponseHead response_;
  http::ResponseHeadDecoder response_decoder_;
  http::BodyDecoder request_body_;
  http::BodyDecoder response_body_;
  Buffer encoded_;        // the head that is sent next, in whichever direction
  Buffer encoded_up_;     // the request's head, while an upload uses it
  Buffer body_;           // the request's body, as it comes

  RouteRuntime* route_ = nullptr;
  route::SplitState split_;
  Side side_ = Side::Old;
  bool has_side_ = false;
  bool spilled_ = false;          // the side that it was for has no healthy endpoint
  unsigned hops_ = 0;           // proxies like this one that the request has come through
  static constexpr std::uint32_t kMostRenewals = 4;
  std::uint32_t attempts_ = 0;
  std::uint32_t renewals_ = 0;    // attempts that nobody looked at, and that were made again
  PerSide<std::uint32_t> asked_{};  // of them, by the side
  RetryDecision retry_;
  Pause pause_;                   // before an attempt is made again
  bool on_budget_ = false;
  bool stale_ = false;            // the reused connection had been closed: the attempt is made again on a new one
  upstream::Reuse reuse_ = upstream::Reuse::Any;
  std::size_t avoided_ = upstream::Pool::kNobody;  // where the attempt before failed
  std::size_t failed_at_ = upstream::Pool::kNobody;  // the target of a lease that was given up early
  Failure failure_ = Failure::None;
  bool failure_counted_ = false;
  bool dispatched_ = false;       // the attempt has left for the side
  bool is_on_way_ = false;        // or waits for a connection that is made for many; its clocks run
  bool has_head_ = false;         // of the response, as it was accepted
  bool overtaken_ = false;        // by a revert, while it waited for a connection to new
  upstream::Acquisition acquisition_;
  upstream::Lease lease_;

  std::string_view upgrade_;      // what the client wants the connection to become, where the route allows it
  std::unique_ptr<Tunnel> tunnel_;
  http::WebSocketKey websocket_key_{};  // of ours, where the client's head has none
  bool was_tunnel_ = false;
  bool leaving_ = false;          // the tunnel's last moments have been set
  bool counted_ = false;          // the outcome, before the exchange's end

  Task<> upload_;
  std::optional<Pump> upload_pump_;  // of the last attempt
  bool uploading_ = false;
  PumpEnd upload_end_ = PumpEnd::Complete;
  bool request_whole_ = false;      // its body has come to its end once
  std::uint16_t client_fault_ = 0;  // the status for a body that the client spoiled; 0 = none

  Pump* delivery_ = nullptr;        // while the response's body goes down
  Pace upload_pace_;
  Pace delivery_pace_;
  net::Timer pace_clock_;
  bool too_slow_ = false;           // the client was, and is ended for it

  mirror::Copy* copy_ = nullptr;
  bool mirrored_ = false;
  net::Timer route_deadline_;
  net::Timer slow_clock_;         // runs from dispatch to response head, on routes whose gate looks at slowness
  TimePoint slow_after_;
  net::Timer try_clock_;          // the same for the attempt itself, with retry.per_try_timeout
  bool try_expired_ = false;
  net::Timer hedge_clock_;        // from dispatch to response head, on routes that hedge; then, once the attempt is over, the hedge's rest
  Duration hedge_after_{0};
  std::unique_ptr<Hedge> hedge_;  // made when it is needed, and kept
  bool hedged_ = false;           // once an exchange
  bool hedging_ = false;          // it is not settled yet
  bool awaits_hedge_ = false;     // and the first attempt is over
  bool hedge_answered_ = false;
  bool timed_out_ = false;
  bool call_ = false;             // of gRPC: what it came to is told by its status
  bool call_expired_ = false;     // its client's own deadline is over, which is nobody's failure
  http::GrpcCode call_code_ = http::GrpcCode::Unknown;
  TimePoint call_deadline_ = TimePoint::max();
  bool client_gone_ = false;
  bool cut_off_ = false;
  bool survives_ = false;
  bool needs_linger_ = false;
  bool response_begun_ = false;   // a byte of the final response may have reached the client
  bool truncated_ = false;        // and its end did not
  bool must_reset_ = false;       // and only a reset can tell the client so

  TimePoint started_;
  TimePoint attempt_started_;
  TimePoint response_due_;        // its head, once the request has gone up
  Duration service_time_{-1};
  std::size_t head_bytes_ = 0;
  std::uint16_t status_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::string_view refusal_reason_;
  std::array<char, 36> made_request_id_{};
  std::array<char, 55> made_traceparent_{};
  std::string_view request_id_;
  std::string_view trace_id_;
  std::string_view new_traceparent_;  // empty: the client's own is passed on
  std::string_view upstream_host_;
};

}  // namespace tidegate::forward
