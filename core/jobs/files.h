#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace kandinsky::jobs {

/// An open file or folder, closed by the destructor; as open(2), but retries after signals. Throws
/// StatusError: KANDINSKY_NOT_FOUND, KANDINSKY_INVALID_ARGUMENT for a folder, else KANDINSKY_IO.
class File {
 public:
  File(const std::string& path, int flags);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::uint64_t size() const;
  bool is_regular() const;
  /// Up to `size` bytes from `offset` on; fewer where the file ends.
  std::string read(std::uint64_t offset, std::size_t size) const;
  /// Writes all of it, in one call if the system allows.
  void write(std::string_view text) const;

 private:
  struct ::stat status() const;

  std::string path_;
  int number_;
};

inline constexpr std::uint64_t kAnySize = std::numeric_limits<std::uint64_t>::max();

/// Passes the whole file in blocks. Throws as File, and KANDINSKY_INVALID_ARGUMENT for what is no
/// regular file, such as a device without an end, and for more than `most` bytes.
void read_file(const std::string& path, std::uint64_t most,
               const std::function<void(std::string_view)>& piece);

/// Reads all of it, likewise.
std::string read_file(const std::string& path, std::uint64_t most);

}  // namespace kandinsky::jobs
