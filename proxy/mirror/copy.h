// One mirrored request: a bounded tee that the original's body is poured into, and a coroutine that sends what is in it
// and reads the answer away. Nothing here can reach the client: the original only calls feed(), which never waits, never
// fails and does nothing once the copy was dropped.
//
// Owned by its Mirror, which keeps it for reuse once both sides are done with it: the original (end or abandon) and the
// sender. What it has allocated stays with it: a copy in the steady state allocates nothing.
#pragma once

#include <coroutine>
#include <list>
#include <optional>
#include <string_view>

#include "base/buffer.h"
#include "base/intrusive_list.h"
#include "base/task.h"
#include "http/head.h"
#include "http/h1_body.h"
#include "http/h1_head.h"
#include "net/reactor.h"
#include "observe/counters.h"
#include "upstream/pool.h"

namespace tidegate::mirror {

class Mirror;

class Copy final : public net::Retirable, public Link<> {
 public:
  Copy(Mirror& mirror, net::Reactor& reactor, upstream::Pool& pool);
  /// Begins anew, for another request.
  void begin(http::Method method);

  /// The encoded request head is written here before anything is fed.
  Buffer head;

  /// @param chunked whether the body travels in chunks.
  void open(bool chunked);
  /// The next piece of the body. Dropped with reason `buffer` when the tee's budget is used up.
  void feed(std::string_view data);
  /// Lets the sender begin, and take what was fed; called after the original's own send, which comes first.
  void push();
  /// The body is complete.
  void end();
  /// The original ended before its body did.
  void abandon();
  /// Ends the sender, for whatever reason.
  void drop(observe::MirrorDrop why);

 private:
  friend class Mirror;
  struct TeeWait;

  void start();
  Task<> send();
  Task<std::optional<observe::MirrorDrop>> exchange();
  Task<std::optional<observe::MirrorDrop>> send_body();
  Task<std::optional<observe::MirrorDrop>> read_answer();
  void pour(std::string_view bytes);
  void recycle(std::list<Buffer>& buffers);
  void wake();
  void source_done();
  static void sent(void* self);
  static void expired(void* self);

  Mirror& mirror_;
  net::Reactor& reactor_;
  upstream::Pool& pool_;
  http::Method method_ = http::Method::Get;
  bool chunked_ = false;
  bool source_open_ = true;
  bool complete_ = false;   // the body's end is in the tee
  bool started_ = false;
  bool sender_done_ = false;
  std::optional<observe::MirrorDrop> dropped_;
  std::size_t charged_ = 0;
  std::list<Buffer> tee_;
  std::list<Buffer> sending_;  // what has left the tee: the original may pour more into it meanwhile
  std::list<Buffer> spare_;    // places without a block
  http::ResponseHead answer_;
  std::coroutine_handle<> waiting_;
  upstream::Acquisition acquisition_;
  upstream::Lease lease_;
  net::Timer deadline_;
  Task<> sender_;
};

}  // namespace tidegate::mirror
