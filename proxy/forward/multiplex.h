// A client connection that carries many exchanges at a time: each stream that brings a request gets an exchange of its own,
// which knows nothing of the others.
//
// Owned by its session, until nothing more is said on the connection; one worker's thread.
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>

#include "base/buffer.h"
#include "base/intrusive_list.h"
#include "base/task.h"
#include "forward/downstream.h"
#include "h2/connection.h"
#include "net/reactor.h"

namespace tidegate::forward {

class Exchange;
class Worker;

class Multiplex final : public net::Retirable, private h2::Owner {
 public:
  Multiplex(Worker& worker, Session& session, net::Stream& socket);
  ~Multiplex() override;

  /// Serves the connection until one end leaves or everything was said; `received`: what was read from it before.
  Task<> serve(Buffer& received);
  /// The worker drains: every response says so in its own way, then no new requests are taken.
  void announce_close() { connection_.announce_goaway(); }
  void drain();
  void close_idle();  ///< no new requests are taken; what is in progress goes on
  /// The worker ends: what is in progress is cut off.
  void abort();

 private:
  class Carried;
  struct Emptied;

  void on_request(std::int32_t stream, http::RequestHead& head, Buffer& bytes, bool ends) override;
  void on_refused(std::int32_t stream, const http::Refusal& refusal) override;
  void after_input() override;
  void on_capacity() override {}
  Carried& carry(std::int32_t stream, bool ends);
  void done(Carried& carried);
  void look_at_age();
  static void say_farewell(void* self);

  Worker& worker_;
  Session& session_;
  h2::Connection connection_;
  List<Carried> fresh_;    // their exchanges have not begun
  List<Carried> carried_;
  std::uint32_t count_ = 0;
  std::coroutine_handle<> empty_waits_;
  net::Timer farewell_;     // of a connection that is spent: armed with the first GOAWAY
};

}  // namespace tidegate::forward
