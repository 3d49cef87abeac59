#include "upstream/making.h"

#include "upstream/pool.h"

namespace tidegate::upstream {

void Making::on_turn_end() {
  root_ = run();
  root_.start(&Making::done, this);
}

Task<> Making::run() { status_ = co_await pool_.establish(*connection, Carrying::Any); }

void Making::cancel() {
  if (root_) return connection->socket.cancel();
  static_cast<Link<net::TurnEndTag>&>(*this).unlink();
  done(this);
}

void Making::done(void* self) {
  auto* making = static_cast<Making*>(self);
  making->pool_.made(*making, making->status_);
}

}  // namespace tidegate::upstream
