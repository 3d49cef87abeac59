// A doubly linked list whose links are part of the elements: O(1) removal without a search and without allocation.
// Used for idle connections, waiting requests, timers and live sessions. An element is in at most one list per Link.
#pragma once

#include <cstddef>

namespace tidegate {

template <class Tag = void>
struct Link {
  Link* previous = nullptr;
  Link* next = nullptr;

  Link() noexcept = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  bool linked() const noexcept { return next != nullptr; }
  void unlink() noexcept {
    if (next == nullptr) return;
    previous->next = next;
    next->previous = previous;
    previous = next = nullptr;
  }
};

/// T must derive from Link<Tag>. The list does not own its elements.
template <class T, class Tag = void>
class List {
 public:
  List() noexcept { head_.previous = head_.next = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) pop_front();
    head_.previous = head_.next = nullptr;
  }

  bool empty() const noexcept { return head_.next == &head_; }
  T* front() noexcept { return empty() ? nullptr : element(head_.next); }
  T* back() noexcept { return empty() ? nullptr : element(head_.previous); }
  /// An element that is in the list already moves.
  void push_front(T& item) noexcept {
    static_cast<Link<Tag>&>(item).unlink();
    insert(item, head_, *head_.next);
  }
  void push_back(T& item) noexcept {
    static_cast<Link<Tag>&>(item).unlink();
    insert(item, *head_.previous, head_);
  }
  T* pop_front() noexcept {
    T* item = front();
    if (item != nullptr) static_cast<Link<Tag>*>(item)->unlink();
    return item;
  }

  /// Calls f on every element; f may unlink the element that it is given, and no other.
  template <class F>
  void for_each(F&& f) {
    for (Link<Tag>* at = head_.next; at != &head_;) {
      Link<Tag>* next = at->next;
      f(*element(at));
      at = next;
    }
  }

 private:
  static T* element(Link<Tag>* link) noexcept { return static_cast<T*>(link); }
  static void insert(T& item, Link<Tag>& before, Link<Tag>& after) noexcept {
    Link<Tag>& link = item;
    link.previous = &before;
    link.next = &after;
    before.next = &link;
    after.previous = &link;
  }
  Link<Tag> head_;
};

}  // namespace tidegate
