#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace kandinsky::cli {

/// Throws StatusError, naming the option, unless a file can be written there:
/// KANDINSKY_INVALID_ARGUMENT if it is not a file, KANDINSKY_NOT_FOUND if its folder does not
/// exist, KANDINSKY_IO for a system error.
void check_file_place(const std::string& option, const std::filesystem::path& path);

/// A file that is about to be written. A claimed one already exists, empty, so that no other run
/// takes its name; it is removed at the end unless keep() was called.
class NewFile {
 public:
  NewFile(std::string path, bool is_claimed) : path_(std::move(path)), is_claimed_(is_claimed) {}
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  const std::string& path() const { return path_; }
  void keep() { is_claimed_ = false; }

 private:
  std::string path_;
  bool is_claimed_;
};

/// The output of a batch: one file, or a folder with numbered files. The constructor checks
/// everything that it can, so that no work is lost to a misspelt path.
class OutputPlace {
 public:
  /// `output`: FILE.png (.jpg, .jpeg, .webp) in a folder that exists, or a folder: an existing one,
  /// or a name that ends in "/", which is created. Throws StatusError: KANDINSKY_INVALID_ARGUMENT
  /// for another ending or a file for more than one image; else as check_file_place.
  OutputPlace(const std::string& output, std::int32_t batch_size);

  /// False for formats without a place for the parameters text.
  bool keeps_parameters() const;

  /// The next image's file: the given one, or "<folder>/<number>-<seed>.png", claimed
  /// with a number that no file in the folder and no concurrent run has.
  NewFile next_file(std::uint64_t seed);

 private:
  /// Created folders, outermost first. They are removed at the end if they are empty.
  struct MadeFolders {
    MadeFolders() = default;
    ~MadeFolders();
    MadeFolders(const MadeFolders&) = delete;
    MadeFolders& operator=(const MadeFolders&) = delete;
    std::vector<std::filesystem::path> paths;
  };

  void make_folder();
  long long next_number() const;

  std::filesystem::path path_;
  bool is_folder_ = false;
  MadeFolders made_;
};

}  // namespace kandinsky::cli
