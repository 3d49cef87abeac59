#include "check/runner.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "check/inquiry.h"

namespace tidegate::check {

namespace {

/// Signals belong to the threads that wait for them.
void begin_thread() {
  ::sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "checks");
}

}  // namespace

Runner::Runner(outbound::Lookup::Ask lookup)
    : work_(boost::asio::make_work_guard(io_)), client_(io_, std::move(lookup)), thread_([this] {
        begin_thread();
        io_.run();
      }) {}

Runner::~Runner() { stop(); }

void Runner::ask(Question question, Done done) {
  if (stopped_.load(std::memory_order_relaxed)) return;
  boost::asio::post(io_, [this, question = std::move(question), done = std::move(done)]() mutable {
    begin(std::move(question), std::move(done));
  });
}

void Runner::begin(Question question, Done done) {
  if (asking_ >= kQuestions)
    return done({gate::Verdict::Error, "too many checks wait: " + std::to_string(kQuestions) + " have no answer yet"});
  ++asking_;
  std::make_shared<Inquiry>(client_, std::move(question), [this, done = std::move(done)](Answer answer) {
    --asking_;
    done(std::move(answer));
  })->start();
}

void Runner::stop() {
  if (!thread_.joinable()) return;
  stopped_.store(true, std::memory_order_relaxed);
  boost::asio::post(io_, [this] {
    client_.stop();
    io_.stop();
  });
  thread_.join();
}

}  // namespace tidegate::check
