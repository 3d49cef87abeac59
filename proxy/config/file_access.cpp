#include "config/file_access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace tidegate::config {
namespace {

/// By the rights that open() goes by, which are the effective ones.
bool may(const std::string& path, int what) noexcept { return ::faccessat(AT_FDCWD, path.c_str(), what, AT_EACCESS) == 0; }

std::string because(const std::string& what) { return ": " + what + ": " + std::strerror(errno); }

std::string folder_of(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string folder_problem(const std::string& folder) {
  struct stat found{};
  if (::stat(folder.c_str(), &found) != 0) {
    return errno == ENOENT ? ": the folder " + folder + " does not exist" : because("the folder " + folder);
  }
  return S_ISDIR(found.st_mode) ? "" : ": " + folder + " is not a folder";
}

}  // namespace

std::string reading_problem(const std::string& file) {
  struct stat found{};
  if (::stat(file.c_str(), &found) != 0 || !may(file, R_OK)) return file + because("cannot be read");
  return S_ISDIR(found.st_mode) ? file + ": is a folder" : "";
}

std::string writing_problem(const std::string& file, Written how) {
  const std::string folder = folder_of(file);
  if (const std::string problem = folder_problem(folder); !problem.empty()) return file + problem;
  struct stat found{};
  const bool exists = ::stat(file.c_str(), &found) == 0;
  if (!exists && errno != ENOENT) return file + because("cannot be written");
  if (exists && S_ISDIR(found.st_mode)) return file + ": is a folder";
  if (exists && !may(file, how == Written::Alone ? W_OK : R_OK | W_OK)) return file + because("cannot be written");
  if (exists && how == Written::Alone) return {};
  return may(folder, W_OK | X_OK) ? "" : file + because("no file can be made in " + folder);
}

}  // namespace tidegate::config
