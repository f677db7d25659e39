#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kandinsky::test {

/// A folder of one test's own, removed when the test ends.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "kandinsky-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path() const { return path_.string(); }
  std::string path(std::string_view name) const { return (path_ / name).string(); }

  /// Writes a file, with the folders above it, and returns its path.
  std::string write(std::string_view name, std::string_view content) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }

  std::size_t num_files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++count;
    return count;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

/// Runs body in a child process that is not root, so that file permissions count, and returns what
/// it returned; -1 if it could not be run or threw. body must not use GoogleTest's checks.
inline int as_ordinary_user(const std::function<int()>& body) {
  constexpr uid_t kNobody = 65534;
  const pid_t child = ::fork();
  if (child == 0) {
    int result = -1;
    if (::geteuid() != 0 || ::setuid(kNobody) == 0) {
      try {
        result = body();
      } catch (...) {
        result = -1;
      }
    }
    ::_exit(result);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  const int result = WEXITSTATUS(status);
  return result == 255 ? -1 : result;
}

/// How many times the time and memory of a plain build a sanitizer may take.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSanitizerCost = 10;
#else
inline constexpr int kSanitizerCost = 1;
#endif

/// How many bytes this process took at most while it ran body, more than before it.
inline std::size_t peak_of(const std::function<void()>& body) {
  const auto read = [](const char* key) {
    std::ifstream status("/proc/self/status");
    std::size_t kilobytes = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(key)) kilobytes = std::stoul(line.substr(std::string_view(key).size()));
    }
    return kilobytes << 10U;
  };
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew
  const std::size_t before = read("VmRSS:");
  body();
  return read("VmHWM:") - before;
}

/// Expects body to throw Error with this code and a message that contains part.
inline void expect_error(ErrorCode code, std::string_view part, const std::function<void()>& body) {
  try {
    body();
    ADD_FAILURE() << "no error, expected " << error_code_name(code) << " about '" << part << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
        << "message: " << error.what() << "\nexpected in it: " << part;
  }
}

}  // namespace kandinsky::test
