#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace tidegate {
namespace {

struct Other {};
struct Item : Link<>, Link<Other> {
  explicit Item(int v) : value(v) {}
  int value;
};

std::vector<int> values(List<Item>& list) {
  std::vector<int> out;
  list.for_each([&out](Item& item) { out.push_back(item.value); });
  return out;
}
using V = std::vector<int>;

TEST(List, AnElementThatIsPushedAgainMovesAndIsThereOnce) {
  List<Item> list;
  Item a(1), b(2);
  list.push_back(a);
  list.push_back(a);
  EXPECT_EQ(values(list), (V{1}));
  list.push_back(b);
  list.push_back(b);
  list.push_back(a);
  EXPECT_EQ(values(list), (V{2, 1}));
  list.push_front(a);
  list.push_front(a);
  EXPECT_EQ(values(list), (V{1, 2}));
}

TEST(List, KeepsOrderAtBothEnds) {
  List<Item> list;
  Item a(1), b(2), c(3);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(list.back(), nullptr);
  EXPECT_EQ(list.pop_front(), nullptr);
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  EXPECT_EQ(values(list), (V{1, 2, 3}));
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(list.back(), &c);
  EXPECT_EQ(list.pop_front(), &a);
  EXPECT_EQ(values(list), (V{2, 3}));
}

TEST(List, AnElementThatIsDestroyedLeaves) {
  List<Item> list;
  Item a(1);
  list.push_back(a);
  {
    Item b(2);
    list.push_back(b);
  }
  EXPECT_EQ(values(list), V{1});
}

TEST(List, PushingAgainMovesAnElementAlsoBetweenLists) {
  List<Item> list, second;
  Item a(1), b(2);
  list.push_back(a);
  list.push_back(b);
  list.push_back(a);
  EXPECT_EQ(values(list), (V{2, 1}));
  second.push_back(b);
  EXPECT_EQ(values(list), V{1});
  EXPECT_EQ(values(second), V{2});
}

TEST(List, AnElementIsInOneListForEachLink) {
  List<Item> list;
  List<Item, Other> other;
  Item a(1);
  list.push_back(a);
  other.push_back(a);
  static_cast<Link<>&>(a).unlink();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(other.front(), &a);
}

TEST(List, UnlinkingTwiceIsHarmless) {
  List<Item> list;
  Item a(1);
  list.push_back(a);
  static_cast<Link<>&>(a).unlink();
  static_cast<Link<>&>(a).unlink();
  EXPECT_FALSE(static_cast<Link<>&>(a).linked());
}

TEST(List, ForEachMayRemoveTheElementThatItIsGiven) {
  List<Item> list;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 5; ++i) list.push_back(*items.emplace_back(std::make_unique<Item>(i)));
  list.for_each([&items](Item& item) {
    if (item.value % 2 == 0) items[static_cast<std::size_t>(item.value)].reset();
  });
  EXPECT_EQ(values(list), (V{1, 3}));
}

TEST(List, ItsEndLeavesTheElementsUnlinked) {
  Item a(1);
  {
    List<Item> list;
    list.push_back(a);
  }
  EXPECT_FALSE(static_cast<Link<>&>(a).linked());
}

}  // namespace
}  // namespace tidegate
