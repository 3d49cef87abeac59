// The answer: the side's, or one of Tidegate's own.
#include "forward/exchange.h"

#include <array>
#include <utility>

#include "forward/outcome.h"
#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

Task<> Exchange::deliver() {
  const bool never_has_body = http::has_no_body(request_.method, response_.status);
  const bool no_body = never_has_body || response_.framing == http::Framing::None;
  if (no_body && !never_has_body) response_.has_content_length = true;  // of 0: HTTP/2 ends a message with its head, HTTP/1.1 has to say so
  const bool length_known = no_body || !http::needs_chunks(response_.framing, response_.has_content_length);
  ResponseContext context;
  if (client_->frames() == nullptr) {
    context.client_is_http10 = is_http10();
    context.chunked = !length_known && !context.client_is_http10;
    context.close = !request_.keep_alive || !upload_complete() || client_->session().is_closing() || (!length_known && !context.chunked);
  }
  if (!response_.fields.has(http::FieldId::Date)) context.date = worker_.date.text(worker_.reactor.now());
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
  if (upload_pump_) upload_pump_->forget();
  if (uploading_) {  // each direction may be silent for as long as the other one speaks
    upload_pump_->is_patient = true;
    pump.beside = &*upload_pump_;
    pump.beside_bytes = upload_pump_->bytes;
  }
  if (upload_complete() && body_.empty()) body_.release();
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

/// The status of a call is in its trailers, or in its head when it has no body.
void Exchange::settle_call(const Pump& pump, PumpEnd end) {
  if (end != PumpEnd::Complete) {
    call_code_ = http::GrpcCode::Internal;  // what a client makes of the reset that it gets
    return;
  }
  if (const http::FieldList* const trailers = pump.trailers()) {
    if (const auto code = http::grpc_status(*trailers)) call_code_ = *code;
  }
  const bool is_clients = response_.status >= 400 && response_.status < 500;  // a proxy's answer, or one to what was no call
  if (!is_clients && is_grpc_error(route_->errors, static_cast<std::uint32_t>(call_code_))) count_failure(Failure::Status);
}

/// What the end of the response means for the connections and for the side, which is to blame for nothing where its client has spoiled
/// the request.
void Exchange::settle_delivery(const Pump& pump, PumpEnd end) {
  const auto blame = [this](Failure why) { fail(client_fault_ != 0 ? Failure::Canceled : why); };
  switch (end) {
    case PumpEnd::Complete:
      cluster().pool.note(*lease_, upstream::Pool::Outcome::Whole);
      if (response_.keep_alive && upload_complete()) lease_.give_back();
      return;
    case PumpEnd::SinkEnded:
    case PumpEnd::SinkTimedOut: client_gone_ = true; break;
    case PumpEnd::SourceEnded: blame(Failure::Reset); break;
    case PumpEnd::SourceTimedOut:
      if (uploading_ && upload_pump_->source_is_silent && client_fault_ == 0) client_fault_ = 408;  // it may have waited for the rest
      blame(Failure::Timeout);
      break;
    case PumpEnd::SourceTooLong:
    case PumpEnd::SourceRefused: blame(Failure::Protocol); break;
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

/// A response of Tidegate's own. The connection lives on when the request was read to its end.
Task<> Exchange::reply(std::uint16_t status, std::string_view text) {
  status_ = status;
  const bool whole = head_bytes_ != 0 && upload_complete();
  const bool framed = client_->frames() != nullptr;
  const bool close = !framed && (!whole || !request_.keep_alive || client_->session().is_closing());
  encoded_.clear();
  const std::string_view date = worker_.date.text(worker_.reactor.now());
  bool no_body = head_bytes_ != 0 && request_.method == http::Method::Head;
  if (call_) {
    call_code_ = http::grpc_code_of(status);
    status_ = 200;
    no_body = true;
    encode_call_failure(encoded_, call_code_, text, date);
  } else {
    encode_local_reply(encoded_, status, text, close, date);
  }
  const net::IoResult sent = co_await send_reply(no_body ? std::string_view() : text);
  if (sent.status == net::IoStatus::Ok) {
    bytes_sent_ = no_body ? 0 : text.size() + 1;
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

}  // namespace tidegate::forward
