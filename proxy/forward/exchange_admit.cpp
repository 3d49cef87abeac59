// Before the first attempt: what the request is taken for, which route and side it has, what is copied of it.
#include "forward/exchange.h"

#include <utility>

#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/trace.h"
#include "forward/worker.h"
#include "forward/outcome.h"
#include "http/grammar.h"

namespace tidegate::forward {

/// RFC 9113 §8.3.1: a proxy in front that ended TLS may say so, strangers may not.
bool Exchange::has_listeners_scheme() {
  const Session& session = client_->session();
  if (request_.scheme.empty() || session.peer_trusted() || http::equals_ignoring_case(request_.scheme, session.scheme())) return true;
  status_ = 400;
  refusal_reason_ = "scheme of the target is not the listener's";
  return false;
}

/// A proxy whose endpoint is itself would ask itself until something gives way.
bool Exchange::has_hops_left() {
  hops_ = hops_of(request_.fields);
  if (hops_ < kMostHops) return true;
  status_ = 508;
  refusal_reason_ = "loop: the request has come through here too often";
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
  if (worker_.is_short_of_memory()) {
    worker_.counters.shed.add();
    status_ = 503;
    refusal_reason_ = kShortOfMemory;
    return false;
  }
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
  side_ = route::pick(route_->positions.next(), split_.weight);
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
    upstream_host_ = observe::kNoHealthyEndpoint;
    attempt_started_ = started_;
    cluster().counters.fail(Failure::Connect);
    charge(Failure::Connect);  // whatever else counts as one
    upstream_host_ = {};
  }
  side_ = to;
}

/// nullptr: the route has none.
const route::HeaderEdits* Exchange::route_edits() const noexcept {
  const route::HeaderEdits& edits = route_->route->policy.request_headers;
  return edits.set.empty() && edits.remove.empty() ? nullptr : &edits;
}

/// What the original and its copy carry alike.
RequestContext Exchange::request_context() const {
  RequestContext context;
  const Session& session = client_->session();
  context.hops = hops_;
  context.peer = session.peer();
  context.peer_trusted = session.peer_trusted();
  context.https = session.scheme() == "https";
  context.client_certificate = session.client_certificate();
  context.request_id = request_id_;
  context.traceparent = new_traceparent_;
  context.edits = route_edits();
  return context;
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

}  // namespace tidegate::forward
