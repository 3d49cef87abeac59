// Task<T>: a lazy coroutine with one awaiter, the shape of every multi-step operation of the data plane. It runs on the
// thread that awaits it; there is no executor and no lock.
//
// Why not asio::awaitable: its type-erased executor, dispatch and per-operation handlers cost more than the work of a
// small proxied request. What Tidegate needs is less: start, suspend on a stream or a timer, resume, return a value.
//
// Ownership: a Task owns its frame. Awaited, it lives in the awaiting frame. As the root of a session or a mirror copy it
// is a member of that object, started with `start()`, and the object is retired (net/reactor.h) after `done()`; never
// destroyed from inside its own coroutine. Destroying a suspended Task ends it: whatever it waits on must have been
// cancelled first.
//
// g++ 12.2 trap: a Task awaited inside the condition of an `if` or a loop (`if (co_await f())`) is never started. Name the
// result first. tests/regress checks the sources for it.
//
// Stack depth: a child that completes without suspending returns to its parent by `await_suspend() == false`, so loops of
// ready operations do not recurse, with or without tail calls. Exceptions must not leave a Task; they terminate.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/frame_pool.h"

namespace tidegate {

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;
  void (*on_done)(void*) = nullptr;  ///< roots only: told once, at the final suspension
  void* on_done_context = nullptr;

  static void* operator new(std::size_t bytes) { return base::allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { base::free_frame(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }

  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
      PromiseBase& promise = self.promise();
      if (promise.on_done != nullptr) promise.on_done(promise.on_done_context);
      if (promise.continuation) return promise.continuation;
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  auto get_return_object() noexcept { return std::coroutine_handle<Promise>::from_promise(*this); }
  template <class U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  auto get_return_object() noexcept { return std::coroutine_handle<Promise>::from_promise(*this); }
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() noexcept = default;
  Task(Handle handle) noexcept : handle_(handle) {}  // NOLINT: what get_return_object() hands over
  Task(Task&& from) noexcept : handle_(std::exchange(from.handle_, {})) {}
  Task& operator=(Task&& from) noexcept {
    if (this != &from) {
      destroy();
      handle_ = std::exchange(from.handle_, {});
    }
    return *this;
  }
  ~Task() { destroy(); }

  /// Starts a root. `on_done(context)` is called at its end, possibly before this returns; it must not destroy the Task.
  void start(void (*on_done)(void*) = nullptr, void* context = nullptr) {
    handle_.promise().on_done = on_done;
    handle_.promise().on_done_context = context;
    handle_.resume();
  }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  bool done() const noexcept { return handle_ && handle_.done(); }
  void destroy() noexcept {
    if (handle_) std::exchange(handle_, {}).destroy();
  }

  /// Waits for the end of a started root; afterwards it may be destroyed.
  auto join() noexcept {
    struct Joiner {
      Handle root;
      bool await_ready() const noexcept { return root.done(); }
      void await_suspend(std::coroutine_handle<> joiner) const noexcept { root.promise().continuation = joiner; }
      void await_resume() const noexcept {}
    };
    return Joiner{handle_};
  }

  struct Awaiter {
    Handle child;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) {
      child.resume();
      if (child.done()) return false;
      child.promise().continuation = parent;
      return true;
    }
    T await_resume() { return child.promise().take(); }
  };
  Awaiter operator co_await() && noexcept { return Awaiter{handle_}; }
  Awaiter operator co_await() & noexcept { return Awaiter{handle_}; }

 private:
  Handle handle_;
};

}  // namespace tidegate
