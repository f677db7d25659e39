#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kandinsky::cli {

/// Throws StatusError, naming the option, unless a file can be written there:
/// KANDINSKY_INVALID_ARGUMENT, or KANDINSKY_NOT_FOUND when its folder does not exist.
void check_file_place(const std::string& option, const std::filesystem::path& path);

/// Where a batch of pictures goes: one file, or a folder with numbered files. Everything that can
/// be told beforehand is checked when it is made, so that no work is lost to a spelling mistake.
class OutputPlace {
 public:
  /// `output`: FILE.png (.jpg, .jpeg, .webp) in a folder that exists, or a folder: an existing one,
  /// or a name that ends in "/", which is made. Throws StatusError: KANDINSKY_INVALID_ARGUMENT for
  /// another ending, a file for more than one picture, or a place that cannot be written to;
  /// KANDINSKY_NOT_FOUND when the file's folder does not exist.
  OutputPlace(const std::string& output, std::int32_t batch_size);

  /// False for formats without a place for the parameters text.
  bool keeps_parameters() const;

  /// The path for the next picture: the file, or "<folder>/<number>-<seed>.png", numbered on from
  /// what is in the folder.
  std::string next_path(std::uint64_t seed) const;

 private:
  /// Folders that were made, outermost first. They are removed at the end if nothing was put into
  /// them.
  struct MadeFolders {
    MadeFolders() = default;
    ~MadeFolders();
    MadeFolders(const MadeFolders&) = delete;
    MadeFolders& operator=(const MadeFolders&) = delete;
    std::vector<std::filesystem::path> paths;
  };

  void make_folder();

  std::filesystem::path path_;
  bool is_folder_ = false;
  MadeFolders made_;
};

}  // namespace kandinsky::cli
