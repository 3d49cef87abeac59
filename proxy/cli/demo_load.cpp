#include "cli/demo_load.h"

#include <coroutine>

#include "base/buffer.h"
#include "base/task.h"
#include "http/h1_body.h"
#include "http/h1_head.h"
#include "net/stream.h"

namespace tidegate::cli {

class DemoLoad::Client {
 public:
  Client(DemoLoad& load, unsigned number)
      : load_(load), number_(number), stream_(load.reactor_), received_(load.reactor_.blocks()), pace_(&Client::wake, this) {}

  void start() {
    root_ = run();
    root_.start();
  }
  void end() {
    ending_ = true;
    stream_.cancel();
    wake(this);
  }

 private:
  static constexpr Duration kPeriod = std::chrono::milliseconds(1000 * kClients / kPerSecond);
  static constexpr Duration kPatience = std::chrono::seconds(5);

  struct Pause {
    Client& client;
    Duration length;
    bool await_ready() const noexcept { return client.ending_; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept {
      client.waiting_ = handle;
      client.load_.reactor_.arm(client.pace_, length);
    }
    void await_resume() const noexcept {}
  };

  static void wake(void* self) {
    auto* client = static_cast<Client*>(self);
    if (client->waiting_) std::exchange(client->waiting_, {}).resume();
  }

  Task<> run() {
    Pause start{*this, kPeriod * number_ / kClients};
    co_await start;
    TimePoint next = Clock::now();
    while (!ending_) {
      const bool good = co_await request();
      if (ending_) break;
      load_.answers_.fetch_add(1);
      if (!good) load_.errors_.fetch_add(1);
      next += kPeriod;
      const Duration left = next - Clock::now();
      Pause pause{*this, left > Duration::zero() ? left : Duration::zero()};
      if (left > Duration::zero()) {
        co_await pause;
      }
    }
  }

  /// @return true for an answer below 500.
  Task<bool> request() {
    if (!stream_.is_open()) {
      const net::IoStatus connected = co_await stream_.connect(load_.proxy_, kPatience);
      if (connected != net::IoStatus::Ok) co_return false;
    }
    static constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: demo\r\n\r\n";
    const iovec part{const_cast<char*>(kRequest.data()), kRequest.size()};
    const net::IoResult sent = co_await stream_.send({&part, 1}, kPatience);
    bool good = false;
    if (sent.status == net::IoStatus::Ok) good = co_await answer();
    if (!whole_) stream_.close();
    co_return good;
  }

  Task<bool> answer() {
    http::ResponseHeadDecoder decoder;
    http::BodyDecoder body;
    const auto head = std::make_unique<http::ResponseHead>();
    decoder.reset(http::Method::Get);
    received_.clear();
    bool have_head = false;
    whole_ = false;
    for (;;) {
      if (!have_head && !received_.empty()) {
        const http::HeadState state = decoder.feed(received_.view(), *head);
        if (state == http::HeadState::Refused) co_return false;
        have_head = state == http::HeadState::Done;
        if (have_head) {
          received_.consume(decoder.consumed());
          body.start(head->framing, head->content_length);
        }
      }
      while (have_head) {
        const http::BodyStep step = body.next(received_.view());
        received_.consume(step.consumed);
        if (step.event == http::BodyEvent::End) {
          whole_ = head->keep_alive;
          co_return head->status < 500;
        }
        if (step.event != http::BodyEvent::Data) break;
      }
      const net::IoResult read = co_await stream_.read(received_, kPatience);
      if (read.status != net::IoStatus::Ok) co_return false;
    }
  }

  DemoLoad& load_;
  const unsigned number_;
  net::Stream stream_;
  Buffer received_;
  net::Timer pace_;
  std::coroutine_handle<> waiting_;
  bool ending_ = false;
  bool whole_ = false;
  Task<> root_;
};

DemoLoad::DemoLoad(const net::Address& proxy) : proxy_(proxy) {
  for (unsigned i = 0; i < kClients; ++i) clients_.push_back(std::make_unique<Client>(*this, i));
  reactor_.post([this] {
    for (const auto& client : clients_) client->start();
  });
  thread_ = std::thread([this] { reactor_.run(); });
}

DemoLoad::~DemoLoad() {
  reactor_.post([this] {
    for (const auto& client : clients_) client->end();
    reactor_.stop();
  });
  thread_.join();
  clients_.clear();
}

}  // namespace tidegate::cli
