#include "forward/multiplex.h"

#include <optional>
#include <utility>

#include "base/pooled.h"
#include "forward/exchange.h"
#include "forward/linger.h"
#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

namespace {

struct Place {
  explicit Place(net::Reactor& reactor) : stream(reactor), head(reactor.blocks(), BlockSize::Small) {}
  h2::Stream stream;
  Buffer head;
};

/// Between the two GOAWAYs: what a client had sent before it read the first one is served (RFC 9113 §6.8).
constexpr Duration kFarewell = std::chrono::seconds(1);

h2::Limits limits_of(const SessionPolicy& policy) {
  h2::Limits limits;
  limits.session.streams = policy.streams;
  limits.session.connect_protocol = true;
  limits.session.head = policy.head;
  limits.idle = policy.idle_timeout;
  limits.header = policy.header_timeout;
  limits.write_timeout = policy.body_idle_timeout;
  return limits;
}

}  // namespace

/// One request of the connection, with its stream and its exchange.
class Multiplex::Carried final : private Place, public Downstream, public net::Retirable, public Link<>, public base::Pooled {
 public:
  Carried(Multiplex& owner, Worker& worker, Session& session)
      : Place(worker.reactor), Downstream(session, Place::stream, &(Place::stream), Place::head), owner_(owner), worker_(worker) {}
  ~Carried() override = default;

  void accept(h2::Connection& connection, std::int32_t id, bool ends) {
    Place::stream.accept(connection, id, ends);
    exchange_ = worker_.take_exchange();
    exchange_->attach(*this);
  }
  void take(http::RequestHead& request, Buffer& bytes) {
    Place::head.swap(bytes);
    exchange_->request() = request;
  }
  void refuse(const http::Refusal& refusal) { refusal_ = refusal; }
  void begin() {
    root_ = serve();
    root_.start(&Carried::done, this);
  }
  void leave() { exchange_->leave(); }
  void cut_off() {
    exchange_->cut_off();
    Place::stream.cancel();
  }

 private:
  Task<> serve() {
    if (refusal_) {
      co_await exchange_->refuse(*refusal_);
    } else {
      exchange_->begin(Place::head.size());
      co_await exchange_->run();
    }
    if (exchange_->needs_linger() && exchange_->response_whole()) co_await linger(Place::stream, Place::head);
  }
  /// What is not over by now is reset: the rest of a request that was answered already, or a response that cannot be completed.
  static void done(void* self) {
    auto* carried = static_cast<Carried*>(self);
    const Exchange& exchange = *carried->exchange_;
    carried->Place::stream.close(exchange.response_whole() ? http::H2Error::NoError
                                 : exchange.was_tunnel()   ? http::H2Error::Cancel  // RFC 8441 §5
                                                           : http::H2Error::Internal);
    carried->worker_.give_exchange(std::move(carried->exchange_));
    carried->owner_.done(*carried);
  }

  Multiplex& owner_;
  Worker& worker_;
  std::unique_ptr<Exchange> exchange_;
  std::optional<http::Refusal> refusal_;
  Task<> root_;
};

struct Multiplex::Emptied {
  Multiplex& multiplex;
  bool await_ready() const noexcept { return multiplex.count_ == 0; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { multiplex.empty_waits_ = handle; }
  void await_resume() const noexcept {}
};

Multiplex::Multiplex(Worker& worker, Session& session, net::Stream& socket)
    : worker_(worker), session_(session), connection_(socket, http::H2Role::Server, limits_of(session.policy()), *this),
      farewell_(&Multiplex::say_farewell, this) {}

Multiplex::~Multiplex() = default;

Task<> Multiplex::serve(Buffer& received) {
  if (worker_.closing_idle()) {
    connection_.goaway();
  } else if (session_.is_closing()) {
    connection_.announce_goaway();
  }
  co_await connection_.run(received);
  farewell_.disarm();
  Emptied emptied{*this};
  co_await emptied;
}

void Multiplex::drain() {
  connection_.goaway();
  carried_.for_each([](Carried& carried) { carried.leave(); });
}

void Multiplex::close_idle() { connection_.goaway(); }

void Multiplex::abort() {
  while (Carried* carried = carried_.pop_front()) carried->cut_off();  // one may end another that waits for its connection
  connection_.cut_off();
}

Multiplex::Carried& Multiplex::carry(std::int32_t stream, bool ends) {
  auto* carried = new Carried(*this, worker_, session_);
  carried->accept(connection_, stream, ends);
  fresh_.push_back(*carried);
  ++count_;
  return *carried;
}

void Multiplex::on_request(std::int32_t stream, http::RequestHead& head, Buffer& bytes, bool ends) {
  session_.count_request();
  carry(stream, ends).take(head, bytes);
}

void Multiplex::on_refused(std::int32_t stream, const http::Refusal& refusal) { carry(stream, false).refuse(refusal); }

/// In two steps, as in a drain; streams that are open go on for as long as they like.
void Multiplex::look_at_age() {
  if (farewell_.armed() || connection_.closing() || !session_.is_spent()) return;
  connection_.announce_goaway();
  worker_.reactor.arm(farewell_, kFarewell);
}

void Multiplex::say_farewell(void* self) { static_cast<Multiplex*>(self)->connection_.goaway(); }

void Multiplex::after_input() {
  look_at_age();
  while (Carried* carried = fresh_.pop_front()) {
    carried_.push_back(*carried);
    carried->begin();
  }
}

void Multiplex::done(Carried& carried) {
  carried.unlink();
  worker_.reactor.retire(std::unique_ptr<net::Retirable>(&carried));
  if (--count_ == 0 && empty_waits_) std::exchange(empty_waits_, {}).resume();
}

}  // namespace tidegate::forward
