#include "upstream/prober.h"

#include <algorithm>
#include <array>
#include <coroutine>
#include <cstring>
#include <optional>
#include <utility>

#include "base/task.h"
#include "http/grpc.h"
#include "http/h1_head.h"
#include "http/limits.h"
#include "net/tls_layer.h"
#include "upstream/health_state.h"

namespace tidegate::upstream {

namespace {

/// A message of gRPC (length-prefixed) with HealthCheckRequest{service}: field 1, a string of less than 128 bytes.
std::string health_call(const std::string& service) {
  std::string message;
  if (!service.empty()) message = std::string("\x0a") + static_cast<char>(service.size()) + service;
  return std::string(4, '\0') + static_cast<char>(message.size()) + message;
}

/// HealthCheckResponse{status = SERVING}: field 1, a varint of 1. @return why not, empty when it is
std::string judge_health_answer(std::string_view body) {
  constexpr std::size_t kPrefix = 5;
  if (body.size() < kPrefix || body[0] != 0) return "its answer is no message of gRPC";
  const std::string_view message = body.substr(kPrefix);
  if (message == "\x08\x01") return {};
  if (message.empty() || message == std::string_view("\x08\x00", 2)) return "it says UNKNOWN";
  if (message == "\x08\x02") return "it says NOT_SERVING";
  if (message == "\x08\x03") return "it says SERVICE_UNKNOWN";
  return "its answer is no HealthCheckResponse";
}

struct NoPoolEvents : PoolEvents {
  void on_connections(int, int) override {}
  void on_connect() override {}
  void on_tls(std::string_view, const net::TlsLayer& layer) override { failure = layer.failure(); }
  std::string failure;  // of the last handshake

 protected:
  ~NoPoolEvents() = default;
};

enum class Outcome : std::uint8_t { Passed, Failed, Unknown };

}  // namespace

/// The checks of one address, one after the other.
class Prober::Probe final : private NoPoolEvents, public net::Retirable {
 public:
  Probe(Prober& prober, std::size_t endpoint, const net::Address& address)
      : prober_(prober),
        health_(*prober.policy_.health),
        endpoint_(endpoint),
        address_(address),
        state_(health_.healthy, health_.unhealthy),
        pool_(prober.reactor_, prober.policy_, PoolShare{2, 1}, *this),
        pause_(&Probe::paused, this),
        deadline_(&Probe::expired, this) {
    pool_.set_tls(prober.tls_);
    pool_.set_addresses(endpoint, {address});
    ++prober.running_;
    std::vector<net::Address>& unhealthy = prober.unhealthy_;
    const auto known = std::find(unhealthy.begin(), unhealthy.end(), address);
    if (known == unhealthy.end()) return;
    unhealthy.erase(known);  // used once: what the checks find out is newer
    state_.begin_unhealthy();
  }
  ~Probe() override { --prober_.running_; }

  bool is_for(std::size_t endpoint, const net::Address& address) const { return endpoint == endpoint_ && address == address_; }
  std::size_t endpoint() const noexcept { return endpoint_; }
  const net::Address& address() const noexcept { return address_; }

  void start() {
    root_ = run();
    root_.start(&Probe::done, this);
  }
  void stop() {
    stopping_ = true;
    pause_.disarm();
    if (waiting_) return std::exchange(waiting_, {}).resume();
    cancel();
  }
  void set_tls(std::shared_ptr<const net::TlsClientContext> context) { pool_.set_tls(std::move(context)); }

 private:
  struct Pause {
    Probe& probe;
    Duration length;
    bool await_ready() const noexcept { return probe.stopping_; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept {
      probe.waiting_ = handle;
      probe.prober_.reactor_.arm(probe.pause_, length);
    }
    void await_resume() const noexcept {}
  };

  Task<> run() {
    while (!stopping_) {
      why_.clear();
      failure.clear();
      timed_out_ = false;
      prober_.reactor_.arm(deadline_, health_.timeout);
      Outcome outcome = co_await check();
      deadline_.disarm();
      lease_.drop();
      pool_.close_idle();
      if (stopping_) break;
      if (timed_out_) {
        outcome = Outcome::Failed;
        why_ = "no answer in time";
      }
      settle(outcome);
      Pause pause{*this, next_pause()};
      co_await pause;
    }
  }

  /// The interval, a tenth more or less: the checks of many do not fall together.
  Duration next_pause() {
    const double part = 0.9 + 0.2 * (static_cast<double>(prober_.random_.next() >> 11) * 0x1.0p-53);
    return std::max<Duration>(std::chrono::duration_cast<Duration>(health_.interval * part), net::TimerWheel::kTick);
  }

  void settle(Outcome outcome) {
    if (outcome == Outcome::Unknown) return;
    const bool passed = outcome == Outcome::Passed;
    if (prober_.events_.on_check) prober_.events_.on_check(passed);
    if (state_.judge(passed)) prober_.events_.on_change(endpoint_, address_, state_.is_healthy(), passed ? std::string() : why_);
  }

  Task<Outcome> check() {
    Acquired acquired = co_await pool_.acquire(acquisition_, Reuse::Never);
    if (acquired.failure == Failure::Overflow) co_return Outcome::Unknown;
    if (acquired.failure != Failure::None) {
      why_ = !failure.empty() ? failure : acquired.error_number != 0 ? std::strerror(acquired.error_number) : "no connection";
      co_return Outcome::Failed;
    }
    lease_ = std::move(acquired.lease);
    if (health_.kind == HealthKind::Tcp) co_return Outcome::Passed;
    const bool asked = co_await ask();
    if (!asked) co_return Outcome::Failed;
    const bool answered = co_await read_head();
    if (!answered) co_return Outcome::Failed;
    if (health_.kind == HealthKind::Grpc) {
      const bool serving = co_await read_health_answer();
      co_return serving ? Outcome::Passed : Outcome::Failed;
    }
    if (std::find(health_.expect.begin(), health_.expect.end(), response_.status) != health_.expect.end()) co_return Outcome::Passed;
    why_ = "GET " + health_.path + " answered " + std::to_string(response_.status);
    co_return Outcome::Failed;
  }

  std::string host() const {
    if (!health_.host.empty()) return health_.host;
    if (prober_.policy_.host) return *prober_.policy_.host;
    return std::string(prober_.policy_.endpoints[endpoint_].authority());
  }

  Task<bool> ask() {
    const bool call = health_.kind == HealthKind::Grpc;
    Buffer head(prober_.reactor_.blocks(), BlockSize::Small);
    head.append(call ? std::string_view("POST /grpc.health.v1.Health/Check") : std::string_view("GET "));
    if (!call) head.append(health_.path);
    head.append(" HTTP/1.1\r\nhost: ");
    head.append(host());
    head.append("\r\nuser-agent: tidegate-health\r\n");
    head.append(call ? std::string_view("content-type: application/grpc\r\nte: trailers\r\n\r\n")
                     : std::string_view("accept: */*\r\nconnection: close\r\n\r\n"));
    const std::string message = call ? health_call(health_.service) : std::string();
    std::array<iovec, 2> parts;
    std::size_t count = 0;
    if (http::Frames* const frames = lease_->frames) {
      const bool sent = frames->send_head(head, !call);
      if (!sent || !call) co_return sent;
      frames->finish(nullptr);
    } else {
      parts[count++] = {head.data(), head.size()};
    }
    if (call) parts[count++] = {const_cast<char*>(message.data()), message.size()};
    const std::span<const iovec> all(parts.data(), count);
    const net::IoResult result = co_await lease_->stream.send(all, health_.timeout);
    if (result.status != net::IoStatus::Ok) why_ = "it closed the connection";
    co_return result.status == net::IoStatus::Ok;
  }

  Task<bool> read_head() {
    decoder_.reset(health_.kind == HealthKind::Grpc ? http::Method::Post : http::Method::Get);
    int informational = 0;
    for (;;) {
      const http::HeadState state = lease_->take_head(decoder_, response_);
      if (state == http::HeadState::Refused) {
        why_ = "its answer is malformed: " + std::string(decoder_.refusal().reason);
        co_return false;
      }
      if (state == http::HeadState::Done) {
        if (response_.status >= 200) co_return true;
        if (++informational > http::kInformationalResponses) co_return false;
        lease_->drop_head(decoder_);
        decoder_.reset(http::Method::Get);
        continue;
      }
      const net::IoResult read = co_await lease_->await_head(health_.timeout);
      if (read.status != net::IoStatus::Ok) {
        why_ = "it closed the connection without an answer";
        co_return false;
      }
    }
  }

  Task<bool> read_health_answer() {
    constexpr std::size_t kMost = 1024;
    Buffer body(prober_.reactor_.blocks(), BlockSize::Small);
    while (body.size() <= kMost) {
      const net::IoResult read = co_await lease_->stream.read(body, health_.timeout);
      if (read.status == net::IoStatus::Eof) break;
      if (read.status != net::IoStatus::Ok) {
        why_ = "it reset the call";
        co_return false;
      }
    }
    const http::GrpcCode code = http::grpc_code(response_, lease_->frames != nullptr ? lease_->frames->trailers() : nullptr);
    if (code != http::GrpcCode::Ok) {
      why_ = "the call came to grpc-status " + std::to_string(static_cast<int>(code));
      co_return false;
    }
    why_ = judge_health_answer(body.view());
    co_return why_.empty();
  }

  void cancel() {
    acquisition_.cancel();
    if (lease_) lease_->stream.cancel();
  }
  static void paused(void* self) {
    auto* probe = static_cast<Probe*>(self);
    if (probe->waiting_) std::exchange(probe->waiting_, {}).resume();
  }
  static void expired(void* self) {
    auto* probe = static_cast<Probe*>(self);
    probe->timed_out_ = true;
    probe->cancel();
  }
  static void done(void* self) {
    auto* probe = static_cast<Probe*>(self);
    probe->prober_.reactor_.retire(std::unique_ptr<net::Retirable>(probe));
  }

  Prober& prober_;
  const HealthPolicy& health_;
  const std::size_t endpoint_;
  const net::Address address_;
  HealthState state_;
  Pool pool_;
  Acquisition acquisition_;
  Lease lease_;
  http::ResponseHeadDecoder decoder_;
  http::ResponseHead response_;
  std::string why_;
  bool stopping_ = false;
  bool timed_out_ = false;
  net::Timer pause_;
  net::Timer deadline_;
  std::coroutine_handle<> waiting_;
  Task<> root_;
};

Prober::Prober(net::Reactor& reactor, const ClusterPolicy& policy, Events events)
    : reactor_(reactor), policy_(policy), events_(std::move(events)) {}

Prober::~Prober() { stop(); }

void Prober::set_addresses(std::size_t endpoint, const std::vector<net::Address>& addresses) {
  const auto is_gone = [&](const Probe* probe) {
    return probe->endpoint() == endpoint &&
           std::none_of(addresses.begin(), addresses.end(), [&](const net::Address& a) { return probe->is_for(endpoint, a); });
  };
  const auto gone = std::stable_partition(probes_.begin(), probes_.end(), [&](const Probe* probe) { return !is_gone(probe); });
  const std::vector<Probe*> ending(gone, probes_.end());
  probes_.erase(gone, probes_.end());
  for (Probe* probe : ending) probe->stop();
  for (const net::Address& address : addresses) {
    const bool known = std::any_of(probes_.begin(), probes_.end(), [&](const Probe* probe) { return probe->is_for(endpoint, address); });
    if (known) continue;
    probes_.push_back(new Probe(*this, endpoint, address));
    probes_.back()->start();
  }
  if (!unhealthy_.empty() && asks_every_endpoint()) unhealthy_.clear();  // of addresses that are gone
}

bool Prober::asks_every_endpoint() const {
  for (std::size_t i = 0; i < policy_.endpoints.size(); ++i) {
    if (std::none_of(probes_.begin(), probes_.end(), [i](const Probe* probe) { return probe->endpoint() == i; })) return false;
  }
  return true;
}

void Prober::set_tls(std::shared_ptr<const net::TlsClientContext> context) {
  tls_ = std::move(context);
  for (Probe* probe : probes_) probe->set_tls(tls_);
}

void Prober::stop() {
  for (Probe* probe : std::exchange(probes_, {})) probe->stop();
}

}  // namespace tidegate::upstream
