// What an exchange and its attempts came to: for the gate, the metrics and the access log.
#include "forward/exchange.h"

#include <utility>

#include "forward/outcome.h"
#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

/// Against the side, once an attempt, as soon as it is known (the gate's rule §3.1).
void Exchange::count_failure(Failure why) {
  if (failure_counted_) return;
  failure_counted_ = true;
  cluster().counters.fail(why);
  if (counts_for_gate(route_->errors, why)) charge(why);
}

/// It is a failure of the side.
void Exchange::charge(Failure why) {
  const std::uint32_t step = route_->route->live->split().step;
  route_->ledger->failed(side_, split_.step, step);
  const bool judged = side_ == Side::New && split_.step == step && route_->samples != nullptr;
  if (judged && route_->samples->wants(worker_.reactor.now())) sample_failure(why);
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
    record.protocol = request_.major_version == 2 ? "HTTP/2" : is_http10() ? "HTTP/1.0" : "HTTP/1.1";
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
    record.reason = hedge_answered_ ? "hedge" : attempts_ > 1 ? "retry" : spilled_ ? "spill" : "weight";
  }
  if (!refusal_reason_.empty()) record.reason = refusal_reason_;
  record.mirrored = mirrored_;
  worker_.access_log->write(record);
}

}  // namespace tidegate::forward
