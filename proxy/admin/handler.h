// What the admin API does with a request: who may ask (access_rule.h), which endpoint it is, and the endpoint's work.
// It knows no socket; a session gives it requests and takes answers. GET and HEAD never change anything, and everything
// that waits for the engine is asynchronous. Owned by the server, used on the server's thread only.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "admin/access_rule.h"
#include "admin/members.h"
#include "admin/message.h"
#include "admin/services.h"
#include "admin/target.h"

namespace tidegate::admin {

class Handler {
 public:
  enum class Scope { Admin, Metrics };  ///< Metrics: only /metrics /healthz /readyz, without a token
  /// Runs work on the handler's thread, or drops it when the handler is gone. Called on any thread.
  using Post = std::function<void(std::function<void()>)>;

  Handler(const Services& services, AccessRule access, Scope scope, Post post);

  /// @param answer is called once, on this thread, perhaps before handle() returns. Never, if the engine stops.
  void handle(const Request& request, Answer answer);
  /// For the requests from now on.
  void set_tokens(AccessRule::Tokens tokens) { access_.set_tokens(std::move(tokens)); }

 private:
  struct Call {
    const Request& request;
    Target target;
    std::string route;  ///< what "*" of the endpoint's path stands for: a route's name, of history/* a number
    Members members;
    Answer answer;
    Caller caller{};
  };
  struct Endpoint;
  static const std::vector<Endpoint>& endpoints();

  boost::system::result<Caller, Response> admit(const Endpoint& endpoint, const Request& request) const;
  void serve(const Endpoint& endpoint, Call call);

  // handler.cpp: what only reads
  void healthz(Call& call);
  void readyz(Call& call);
  void metrics(Call& call);
  void version(Call& call);
  void status(Call& call);
  void routes(Call& call);
  void route(Call& call);
  void clusters(Call& call);
  void config(Call& call);
  void history(Call& call);
  void explain(Call& call);
  void with_status(std::function<void(const control::Status&)> then);

  // handler_commands.cpp: what changes something
  void weight(Call& call);
  void mirror(Call& call);
  void revert(Call& call);
  void rearm(Call& call);
  void rollout(Call& call);
  void revert_all(Call& call);
  void reload(Call& call);
  void drain(Call& call);
  control::Reply replying(Answer answer) const;

  const Services services_;
  AccessRule access_;
  const Scope scope_;
  const Post post_;
};

}  // namespace tidegate::admin
