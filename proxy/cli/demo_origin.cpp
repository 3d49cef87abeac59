#include "cli/demo_origin.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "base/buffer.h"
#include "base/task.h"
#include "http/h1_encode.h"
#include "http/h1_head.h"
#include "net/stream.h"

namespace tidegate::cli {

/// One connection: answers requests without bodies, one after the other.
class DemoOrigin::Visitor final : public net::Retirable, public Link<> {
 public:
  explicit Visitor(DemoOrigin& origin)
      : origin_(origin), stream_(origin.reactor_), received_(origin.reactor_.blocks()), out_(origin.reactor_.blocks()) {}

  void start(int descriptor) {
    stream_.adopt(descriptor);
    root_ = serve();
    root_.start(&Visitor::done, this);
  }
  void end() { stream_.cancel(); }

 private:
  static void done(void* self) {
    auto* visitor = static_cast<Visitor*>(self);
    visitor->stream_.close();
    visitor->unlink();
    visitor->origin_.listener_.on_session_end();
    visitor->origin_.reactor_.retire(std::unique_ptr<net::Retirable>(visitor));
  }

  Task<> serve() {
    http::RequestHeadDecoder decoder{http::HeadLimits{}};
    const auto head = std::make_unique<http::RequestHead>();
    for (;;) {
      http::HeadState state = http::HeadState::NeedMore;
      if (!received_.empty()) state = decoder.feed(received_.view(), *head);
      if (state == http::HeadState::Refused) co_return;
      if (state == http::HeadState::NeedMore) {
        const net::IoResult read = co_await stream_.read(received_, Duration::zero());
        if (read.status != net::IoStatus::Ok) co_return;
        continue;
      }
      received_.consume(decoder.consumed());
      decoder.reset();
      write_answer();
      const iovec part{out_.data(), out_.size()};
      const net::IoResult sent = co_await stream_.send({&part, 1}, std::chrono::seconds(5));
      if (sent.status != net::IoStatus::Ok) co_return;
    }
  }

  void write_answer() {
    const bool fails = origin_.next_fails();
    out_.clear();
    http::HeadWriter writer(out_, 256 + origin_.answer_.size());
    writer.put(fails ? "HTTP/1.1 503 Service Unavailable\r\n" : "HTTP/1.1 200 OK\r\n");
    writer.put("content-type: text/plain\r\n");
    writer.content_length(origin_.answer_.size());
    writer.finish();
    out_.append(origin_.answer_);
  }

  DemoOrigin& origin_;
  net::Stream stream_;
  Buffer received_;
  Buffer out_;
  Task<> root_;
};

namespace {
constexpr std::uint32_t kConnections = 256;
}

DemoOrigin::DemoOrigin(std::string answer)
    : answer_(std::move(answer)),
      listener_(reactor_, kConnections) {
  net::Address address = *net::make_address("127.0.0.1", 0);
  const int descriptor = net::Listener::open(address);
  ::getsockname(descriptor, address.get(), &address.length);
  address_ = net::text(address);
  listener_.start(descriptor, net::Sharing::Each, [this](int connection, const net::Address&) {
    auto* visitor = new Visitor(*this);
    visitors_.push_back(*visitor);
    visitor->start(connection);
  });
  thread_ = std::thread([this] { reactor_.run(); });
}

DemoOrigin::~DemoOrigin() {
  reactor_.post([this] {
    while (Visitor* visitor = visitors_.front()) visitor->end();
    reactor_.stop();
  });
  thread_.join();
}

bool DemoOrigin::next_fails() noexcept {
  const std::uint64_t n = requests_.fetch_add(1);
  const unsigned percent = fail_percent_.load();
  const bool fails = (n + 1) * percent / 100 != n * percent / 100;
  if (fails) failures_.fetch_add(1);
  return fails;
}

}  // namespace tidegate::cli
