#include "outbound/client.h"

#include <utility>

#include "outbound/conversation.h"

namespace tidegate::outbound {

Client::Client(boost::asio::io_context& io, Lookup::Ask lookup)
    : io_(io), lookup_(std::make_unique<Lookup>(io, std::move(lookup))) {}

Client::~Client() { stop(); }

void Client::ask(Request request, Done done) {
  if (!lookup_) return;
  const auto one = std::make_shared<Conversation>(
      io_, std::move(request),
      [this, done = std::move(done)](const std::shared_ptr<Conversation>& ended, Result result) {
        conversations_.erase(ended);
        done(std::move(result));
      });
  conversations_.insert(one);
  one->start(*lookup_);
}

void Client::stop() {
  lookup_.reset();
  for (const auto& one : std::exchange(conversations_, {})) one->abort();
}

}  // namespace tidegate::outbound
