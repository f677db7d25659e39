#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"

/// Files for readers that want a path, without a disk where there is a way.
namespace kandinsky::fuzz {

/// One file in memory, whose path stays.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    require(descriptor_ >= 0, "a file in memory can be made");
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }

  const std::string& path() const { return path_; }

  void write(std::string_view content) const {
    require(::ftruncate(descriptor_, 0) == 0 &&
                ::pwrite(descriptor_, content.data(), content.size(), 0) ==
                    static_cast<ssize_t>(content.size()),
            "a file in memory can be written");
  }

 private:
  int descriptor_;
  std::string path_;
};

/// A folder of this process's own, gone when it ends in peace.
class Folder {
 public:
  Folder() {
    const std::filesystem::path memory = "/dev/shm";
    std::error_code error;
    const bool is_there = std::filesystem::is_directory(memory, error);
    std::string pattern =
        ((is_there ? memory : std::filesystem::temp_directory_path()) / "kandinsky-fuzz-XXXXXX")
            .string();
    require(::mkdtemp(pattern.data()) != nullptr, "a folder can be made");
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

  void write(std::string_view name, std::string_view content) const {
    std::FILE* file = std::fopen(path(name).c_str(), "wb");
    require(file != nullptr, "a file can be made");
    // Empty content may have no address, which fwrite() is not to be given.
    const std::size_t written =
        content.empty() ? 0 : std::fwrite(content.data(), 1, content.size(), file);
    require(std::fclose(file) == 0 && written == content.size(), "a file can be written");
  }
  void make_folder(std::string_view name) const { std::filesystem::create_directories(path(name)); }
  void remove(std::string_view name) const { ::unlink(path(name).c_str()); }

 private:
  std::string path_;
};

}  // namespace kandinsky::fuzz
