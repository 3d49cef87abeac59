// What the store's tests share: a directory that goes away with the test, and changes whose content follows from a
// number.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "store/store.h"

namespace tidegate::store::test {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-store-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no scratch directory");
    directory_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  std::string path(const std::string& name = "tidegate.db") const { return (directory_ / name).string(); }

 private:
  std::filesystem::path directory_;
};

inline Change change(std::uint64_t epoch, const std::string& route = "api") {
  const Weight weight = Weight::of_units(static_cast<std::uint32_t>(epoch % 10'001));
  return {.route = {.route = route, .file_weight = Weight::of_units(1'000), .weight = weight, .epoch = epoch},
          .decision = {.epoch = epoch,
                       .at_ms = 1'700'000'000'000 + static_cast<std::int64_t>(epoch),
                       .route = route,
                       .action = Action::Weight,
                       .actor = "ops",
                       .reason = "step",
                       .from = "10",
                       .to = weight.text(),
                       .record = "{}"}};
}

}  // namespace tidegate::store::test
