// The client of the scenario `handshakes`: a new connection with a full TLS 1.3 handshake for every request. wrk and h2load can't
// do that: both keep the SSL object of a connection that has ended, and with it the session, which they resume.
//
// Every connection has an SSL object of its own and is given no session, so there is nothing to resume; that nothing was resumed is
// looked at all the same. One suite, one group and one version are offered, so all proxies do the same arithmetic. An answer is
// read up to the end of the connection. One thread, one level-triggered epoll; certificates are not verified.
//
//   handshakes PORT CONNECTIONS SECONDS BODY_BYTES     prints one line of JSON (lib/handshakes.py reads it)
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEvents = 256;
constexpr auto kTimeout = std::chrono::seconds(5);   // shorter than the proxies': what hangs is seen here
constexpr int kLookMilliseconds = 100;               // at the time, when nothing happens
constexpr const char* kSuite = "TLS_AES_128_GCM_SHA256";
constexpr const char* kGroup = "X25519";
const std::string kRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

struct Totals {
  std::uint64_t handshakes = 0, resumed = 0, requests = 0, bytes = 0;
  std::uint64_t connect = 0, handshake = 0, read = 0, answer = 0, timeout = 0;   // errors, by where they were seen
  std::vector<std::int64_t> microseconds;                                         // from connect() to the end of the answer
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

SSL_CTX* context() {
  SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
  if (made == nullptr || SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) != 1 || SSL_CTX_set_ciphersuites(made, kSuite) != 1 ||
      SSL_CTX_set1_groups_list(made, kGroup) != 1) {
    ERR_print_errors_fp(stderr);
    std::exit(1);
  }
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(made, SSL_OP_IGNORE_UNEXPECTED_EOF);   // an answer has its length; how the end is said is not the question
  return made;
}

class Client {
 public:
  Client(std::uint16_t port, std::size_t connections, std::size_t body) : context_(context()), body_(body), slots_(connections) {
    to_.sin_family = AF_INET;
    to_.sin_port = htons(port);
    to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) fail("epoll_create1");
  }

  /// What is not finished when the time is over is left.
  Totals run(std::chrono::seconds time) {
    const auto end = Clock::now() + time;
    for (Slot& slot : slots_) begin(slot);
    epoll_event events[kEvents];
    auto look = Clock::now() + kTimeout;
    for (auto now = Clock::now(); now < end; now = Clock::now()) {
      const int count = ::epoll_wait(epoll_, events, kEvents, kLookMilliseconds);
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      for (int i = 0; i < count; ++i) step(*static_cast<Slot*>(events[i].data.ptr));
      if (now < look) continue;
      look = now + std::chrono::milliseconds(kLookMilliseconds);
      for (Slot& slot : slots_)
        if (now - slot.begun > kTimeout) again(slot, &totals_.timeout);
    }
    return totals_;
  }

 private:
  enum class State { Connecting, Handshaking, Reading };
  struct Slot {
    int fd = -1;
    SSL* ssl = nullptr;
    State state = State::Connecting;
    std::uint32_t watched = 0;
    std::string answer;
    Clock::time_point begun;
  };

  void begin(Slot& slot) {
    slot.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (slot.fd < 0) fail("socket");
    const int on = 1;
    ::setsockopt(slot.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    slot.ssl = SSL_new(context_);
    if (slot.ssl == nullptr) fail("SSL_new");
    SSL_set_fd(slot.ssl, slot.fd);
    slot.state = State::Connecting;
    slot.answer.clear();
    slot.begun = Clock::now();
    slot.watched = EPOLLOUT;
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.ptr = &slot;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.fd, &event) != 0) fail("epoll_ctl");
    // Whatever is wrong with it is seen by the first step.
    ::connect(slot.fd, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
  }

  void step(Slot& slot) {
    if (slot.state == State::Connecting && !connected(slot)) return again(slot, &totals_.connect);
    if (slot.state == State::Handshaking && !shake(slot)) return;
    if (slot.state == State::Reading) read(slot);
  }

  static bool connected(Slot& slot) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(slot.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    slot.state = State::Handshaking;
    return error == 0;
  }

  /// Whether the handshake is over and the request sent: it always fits the empty buffer of a socket.
  bool shake(Slot& slot) {
    ERR_clear_error();
    const int done = SSL_connect(slot.ssl);
    if (done != 1) {
      wait_or(slot, done, &totals_.handshake);
      return false;
    }
    ++totals_.handshakes;
    if (SSL_session_reused(slot.ssl) != 0) ++totals_.resumed;
    if (SSL_write(slot.ssl, kRequest.data(), static_cast<int>(kRequest.size())) != static_cast<int>(kRequest.size())) {
      again(slot, &totals_.handshake);
      return false;
    }
    slot.state = State::Reading;
    return true;
  }

  void read(Slot& slot) {
    char bytes[16 * 1024];
    for (;;) {
      ERR_clear_error();
      const int got = SSL_read(slot.ssl, bytes, sizeof bytes);
      if (got > 0) {
        slot.answer.append(bytes, static_cast<std::size_t>(got));
        continue;
      }
      if (SSL_get_error(slot.ssl, got) == SSL_ERROR_ZERO_RETURN) return answered(slot);
      return wait_or(slot, got, &totals_.read);
    }
  }

  void answered(Slot& slot) {
    const auto head = slot.answer.find("\r\n\r\n");
    const bool whole = head != std::string::npos && slot.answer.size() - head - 4 == body_;
    if (!whole || !slot.answer.starts_with("HTTP/1.1 200")) return again(slot, &totals_.answer);
    ++totals_.requests;
    totals_.bytes += slot.answer.size();
    totals_.microseconds.push_back(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - slot.begun).count());
    SSL_shutdown(slot.ssl);
    again(slot, nullptr);
  }

  void wait_or(Slot& slot, int done, std::uint64_t* error) {
    const int why = SSL_get_error(slot.ssl, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return again(slot, error);
    const std::uint32_t wanted = why == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
    if (wanted == slot.watched) return;
    slot.watched = wanted;
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = &slot;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, slot.fd, &event);
  }

  /// The next connection in the place of this one. `error`: what to count, or nullptr.
  void again(Slot& slot, std::uint64_t* error) {
    if (error != nullptr) ++*error;
    SSL_free(slot.ssl);
    ::close(slot.fd);
    begin(slot);
  }

  SSL_CTX* context_;
  std::size_t body_;
  std::vector<Slot> slots_;
  sockaddr_in to_{};
  int epoll_ = -1;
  Totals totals_;
};

/// Of sorted values, 0 when there are none.
double percentile(const std::vector<std::int64_t>& sorted, double part) {
  if (sorted.empty()) return 0;
  return static_cast<double>(sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))]);
}

void print(Totals totals, double seconds) {
  std::sort(totals.microseconds.begin(), totals.microseconds.end());
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"handshakes", totals.handshakes}, {"resumed", totals.resumed}, {"requests", totals.requests}, {"bytes", totals.bytes},
      {"connect", totals.connect},       {"handshake", totals.handshake}, {"read", totals.read},     {"answer", totals.answer},
      {"timeout", totals.timeout}};
  std::printf("{\"seconds\": %.6f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f", seconds,
              percentile(totals.microseconds, 0.5), percentile(totals.microseconds, 0.99), percentile(totals.microseconds, 0.999));
  for (const auto& [name, count] : counts) std::printf(", \"%s\": %llu", name, static_cast<unsigned long long>(count));
  std::puts("}");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fputs("usage: handshakes PORT CONNECTIONS SECONDS BODY_BYTES\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  Client client(static_cast<std::uint16_t>(std::atoi(arguments[1])), static_cast<std::size_t>(std::atoi(arguments[2])),
                static_cast<std::size_t>(std::atoi(arguments[4])));
  const auto begun = Clock::now();
  const Totals totals = client.run(std::chrono::seconds(std::atoi(arguments[3])));
  print(totals, std::chrono::duration<double>(Clock::now() - begun).count());
}
