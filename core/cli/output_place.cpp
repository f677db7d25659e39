#include "cli/output_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "jobs/text.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

namespace fs = std::filesystem;

/// The formats of kandinsky_image_save().
constexpr std::array<std::string_view, 4> kSuffixes = {".png", ".jpg", ".jpeg", ".webp"};
constexpr std::size_t kNumberDigits = 5;
constexpr std::size_t kMostNumberDigits = 15;  // longer numbers are not ours
const char* const kOption = "--output";

[[noreturn]] void refuse(kandinsky_status status, const std::string& message) {
  throw StatusError(status, message);
}

std::string lower_suffix(const fs::path& path) { return jobs::lower(path.extension().string()); }

/// The number of "00012-345.png"; -1 for another name.
long long number_of(const std::string& name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos || dash < kNumberDigits || dash > kMostNumberDigits) return -1;
  long long number = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + dash, number);
  return error == std::errc() && stop == name.data() + dash ? number : -1;
}

/// status() that distinguishes "does not exist" from errors, such as a name that is too long.
fs::file_status status_of(const fs::path& path, const std::string& option) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none ||
      (error && status.type() != fs::file_type::not_found)) {
    refuse(KANDINSKY_IO, fmt::format("{} {}: {}", option, path.string(), error.message()));
  }
  return status;
}

/// Throws, naming the option, unless a file can be written there, in an existing folder. Checking
/// the permissions would not be enough: read-only and virtual file systems refuse later.
void check_writable_for(const std::string& option, const fs::path& path) {
  try {
    check_writable(path.string());
  } catch (const StatusError& error) {
    // The error of virtual file systems, such as /proc, for a new file.
    if (error.status() == KANDINSKY_NOT_FOUND) {
      refuse(KANDINSKY_IO,
             fmt::format("{} {}: no file can be created in this folder", option, path.string()));
    }
    refuse(error.status(), fmt::format("{} {}", option, error.what()));
  }
}

std::string numbered_name(long long number, std::uint64_t seed) {
  return fmt::format("{:0{}}-{}.png", number, kNumberDigits, seed);
}

/// Keeps other runs of this program from numbering files in a folder, if its file system has locks.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder)
      : file_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (file_ >= 0) ::flock(file_, LOCK_EX);
  }
  ~FolderLock() {
    if (file_ >= 0) ::close(file_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_;
};

}  // namespace

NewFile::~NewFile() {
  if (is_claimed_) ::unlink(path_.c_str());
}

void check_file_place(const std::string& option, const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::exists(status_of(folder, option))) {
    refuse(KANDINSKY_NOT_FOUND,
           fmt::format("{} {}: there is no folder {}", option, path.string(), folder.string()));
  }
  if (!fs::is_directory(status_of(folder, option))) {
    refuse(KANDINSKY_INVALID_ARGUMENT,
           fmt::format("{} {}: {} is not a folder", option, path.string(), folder.string()));
  }
  check_writable_for(option, path);
}

OutputPlace::OutputPlace(const std::string& output, std::int32_t batch_size) : path_(output) {
  if (output == "-") {
    refuse(KANDINSKY_INVALID_ARGUMENT,
           "--output -: images cannot be written to standard output; give a file or a folder");
  }
  const fs::file_status status = status_of(path_, kOption);
  is_folder_ = output.back() == '/' || fs::is_directory(status);
  if (is_folder_) {
    if (fs::exists(status) && !fs::is_directory(status)) {
      refuse(KANDINSKY_INVALID_ARGUMENT, fmt::format("--output {}: is not a folder", output));
    }
    make_folder();
    return;
  }
  if (std::find(kSuffixes.begin(), kSuffixes.end(), lower_suffix(path_)) == kSuffixes.end()) {
    refuse(KANDINSKY_INVALID_ARGUMENT,
           fmt::format("--output {}: expected a file that ends in {}, or a folder with a slash at "
                       "the end: {}/",
                       output, fmt::join(kSuffixes, ", "), output));
  }
  if (batch_size > 1) {
    refuse(KANDINSKY_INVALID_ARGUMENT,
           fmt::format("--output {}: {} images need a folder, such as {}/", output, batch_size,
                       (path_.parent_path() / path_.stem()).string()));
  }
  check_file_place(kOption, path_);
}

OutputPlace::MadeFolders::~MadeFolders() {
  std::error_code ignored;  // a folder that is in use stays
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) fs::remove(*path, ignored);
}

bool OutputPlace::keeps_parameters() const { return is_folder_ || lower_suffix(path_) == ".png"; }

void OutputPlace::make_folder() {
  std::vector<fs::path> missing;
  for (fs::path folder = path_; !folder.empty() && !fs::exists(status_of(folder, kOption));) {
    // "out/" and "out" are the same folder
    if (folder.has_filename()) missing.push_back(folder);
    folder = folder.parent_path();
  }
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    std::error_code error;
    if (fs::create_directory(*folder, error)) made_.paths.push_back(*folder);
    if (error) {
      refuse(error == std::errc::not_a_directory ? KANDINSKY_INVALID_ARGUMENT : KANDINSKY_IO,
             fmt::format("--output {}: the folder cannot be created: {}", path_.string(),
                         error.message()));
    }
  }
  if (!fs::is_directory(status_of(path_, kOption))) {
    refuse(KANDINSKY_INVALID_ARGUMENT, fmt::format("--output {}: is not a folder", path_.string()));
  }
  check_writable_for(kOption, path_ / numbered_name(0, std::numeric_limits<std::uint64_t>::max()));
  next_number();  // reports an unreadable folder now
}

long long OutputPlace::next_number() const {
  long long number = 0;
  std::error_code error;
  fs::directory_iterator entry(path_, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    number = std::max(number, number_of(entry->path().filename().string()) + 1);
  }
  if (error) {
    refuse(KANDINSKY_IO, fmt::format("--output {}: the folder cannot be read: {}", path_.string(),
                                     error.message()));
  }
  return number;
}

NewFile OutputPlace::next_file(std::uint64_t seed) {
  if (!is_folder_) return NewFile(path_.string(), false);
  if (!fs::exists(status_of(path_, kOption))) make_folder();  // another run removed its empty one
  const FolderLock lock(path_);
  for (long long number = next_number();; ++number) {
    const std::string path = (path_ / numbered_name(number, seed)).string();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0) {
      ::close(file);
      return NewFile(path, true);
    }
    if (errno != EEXIST) {
      refuse(KANDINSKY_IO,
             fmt::format("--output {}: cannot be written: {}", path, std::strerror(errno)));
    }
  }
}

}  // namespace kandinsky::cli
