// A connection that changes its protocol: which requests may ask for it, what answers them, and the tunnel that it becomes.
#include "forward/exchange.h"

#include <algorithm>

#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/worker.h"
#include "http/grammar.h"

namespace tidegate::forward {

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
  if (request_.method != http::Method::Get || is_http10() || request_.framing != http::Framing::None) return {};
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
  if (worker_.ending_tunnels()) tunnel_->leave();
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

}  // namespace tidegate::forward
