// Tasks: values, waiting, roots, joining, and that a loop of ready children needs no stack.
#include "base/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tidegate {
namespace {

/// Something to wait on: resumes who waits when told.
struct Gate {
  bool open = false;
  std::coroutine_handle<> waiting;
  bool await_ready() const noexcept { return open; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiting = handle; }
  void await_resume() const noexcept {}
  void release() {
    open = true;
    if (waiting) std::exchange(waiting, {}).resume();
  }
};

Task<int> ready(int value) { co_return value; }

Task<int> after(Gate& gate, int value) {
  co_await gate;
  co_return value;
}

TEST(Task, IsLazyAndRunsWhenStarted) {
  bool ran = false;
  const auto body = [](bool& flag) -> Task<> {
    flag = true;
    co_return;
  };
  Task<> task = body(ran);
  EXPECT_FALSE(ran);
  EXPECT_FALSE(task.done());
  task.start();
  EXPECT_TRUE(ran);
  EXPECT_TRUE(task.done());
}

Task<> add(int& sum, Gate& gate) {
  sum += co_await ready(1);
  sum += co_await after(gate, 10);
  sum += co_await ready(100);
}

TEST(Task, ValuesComeFromChildrenThatAreReadyAndFromThoseThatWait) {
  int sum = 0;
  Gate gate;
  Task<> task = add(sum, gate);
  task.start();
  EXPECT_EQ(sum, 1);
  EXPECT_FALSE(task.done());
  gate.release();
  EXPECT_EQ(sum, 111);
  EXPECT_TRUE(task.done());
}

TEST(Task, MovesValuesThatCannotBeCopied) {
  const auto make = []() -> Task<std::unique_ptr<std::string>> { co_return std::make_unique<std::string>("x"); };
  std::string seen;
  const auto run = [](auto& maker, std::string& to) -> Task<> {
    const std::unique_ptr<std::string> text = co_await maker();
    to = *text;
  };
  Task<> task = run(make, seen);
  task.start();
  EXPECT_EQ(seen, "x");
}

/// Where the stack is now. A local of a coroutine would not tell: it lives in the frame.
[[gnu::noinline]] std::uintptr_t stack_place() { return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)); }

Task<int> child_at(int i, std::uintptr_t& deepest) {
  deepest = std::min(deepest, stack_place());
  co_return i & 1;
}

Task<> loop(int count, std::uintptr_t& deepest, std::uint64_t& sum) {
  for (int i = 0; i < count; ++i) {
    const int value = co_await child_at(i, deepest);
    sum += static_cast<std::uint64_t>(value);
  }
}

TEST(Task, AMillionReadyChildrenNeedNoStack) {
  std::uint64_t sum = 0;
  const std::uintptr_t here = stack_place();
  std::uintptr_t deepest = here;
  Task<> task = loop(1'000'000, deepest, sum);
  task.start();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(sum, 500'000u);
  EXPECT_LT(here - deepest, 4096u);
}

TEST(Task, TellsItsRootOnceAtTheEnd) {
  Gate gate;
  int told = 0;
  Task<int> task = after(gate, 1);
  task.start([](void* context) { ++*static_cast<int*>(context); }, &told);
  EXPECT_EQ(told, 0);
  gate.release();
  EXPECT_EQ(told, 1);
  Task<int> at_once = ready(1);
  at_once.start([](void* context) { ++*static_cast<int*>(context); }, &told);
  EXPECT_EQ(told, 2);
}

Task<> joiner(Task<int>& root, bool& joined) {
  co_await root.join();
  joined = true;
}

TEST(Task, CanBeJoinedBeforeAndAfterItsEnd) {
  Gate gate;
  Task<int> root = after(gate, 1);
  root.start();
  bool joined = false;
  Task<> waiting = joiner(root, joined);
  waiting.start();
  EXPECT_FALSE(joined);
  gate.release();
  EXPECT_TRUE(joined);
  bool again = false;
  Task<> late = joiner(root, again);
  late.start();
  EXPECT_TRUE(again);
}

struct Guard {
  explicit Guard(int& n) : count(&n) { ++*count; }
  ~Guard() { --*count; }
  Guard(const Guard&) = delete;
  int* count;
};

Task<> inner(Gate& gate, int& alive) {
  const Guard guard(alive);
  co_await gate;
}
Task<> outer(Gate& gate, int& alive) {
  const Guard guard(alive);
  co_await inner(gate, alive);
}

TEST(Task, DestroyedWhileItWaitsItEndsWithAllItsChildren) {
  Gate gate;
  int alive = 0;
  {
    Task<> task = outer(gate, alive);
    task.start();
    EXPECT_EQ(alive, 2);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Task, DestroyedBeforeItBeganItDoesNothing) {
  Gate gate;
  int alive = 0;
  { Task<> task = outer(gate, alive); }
  EXPECT_EQ(alive, 0);
}

TEST(Task, MovingHandsTheCoroutineOver) {
  Gate gate;
  int alive = 0;
  Task<> a = outer(gate, alive);
  a.start();
  Task<> b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: that is what is tested
  EXPECT_TRUE(b);
  Task<> c;
  EXPECT_FALSE(c);
  EXPECT_FALSE(c.done());
  c = std::move(b);
  c = Task<>{};
  EXPECT_EQ(alive, 0) << "assigning over a task ends it";
}

}  // namespace
}  // namespace tidegate
