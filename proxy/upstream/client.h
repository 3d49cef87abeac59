// The client connection that connections to a cluster with `proxy_protocol` belong to: they were announced with its
// addresses, so they carry requests of no other client. Holds those that wait for its next request, and closes them when it
// ends. Owned by a session, which ends after its exchanges; one worker's thread.
#pragma once

#include "base/intrusive_list.h"
#include "net/proxy_protocol.h"

namespace tidegate::upstream {

class Connection;
class Pool;

class Client {
 public:
  explicit Client(const net::ProxyEnds& ends) noexcept : ends_(ends) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// What is announced: the address that it came from, and the one that it connected to.
  const net::ProxyEnds& ends() const noexcept { return ends_; }
  /// The client has gone: its idle connections are closed. Not from inside a destructor: they are retired.
  void end();

 private:
  friend class Connection;
  friend class Pool;
  /// A connection's place among those of its client that are idle.
  struct Place : Link<Place> {
    Connection* connection = nullptr;
  };

  const net::ProxyEnds ends_;
  List<Place, Place> idle_;
};

}  // namespace tidegate::upstream
