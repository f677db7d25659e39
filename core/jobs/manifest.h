#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "jobs/files.h"

namespace kandinsky::jobs {

/// A finished image, a line of JSON in the manifest.
struct Finished {
  std::string id;
  std::string request;  ///< digest of everything that determines the image
  std::string file;     ///< file name in the folder
  std::string sha256;   ///< of the file
  std::uint64_t seed = 0;
  double seconds = 0;  ///< of generating it
  std::string device;
  std::string precision;

  std::string to_json() const;
};

/// The manifest of a folder of images: a line is appended for each finished image. All
/// manifests of the folder are read; concurrent processes each write their own.
class Manifest {
 public:
  /// name: of this process's file in the folder, "manifest*.jsonl". Throws StatusError.
  Manifest(const std::string& folder, const std::string& name);

  /// The entry of that id and request whose file is complete; else null.
  const Finished* find(const std::string& id, const std::string& request) const;

  /// Throws StatusError.
  void append(const Finished& finished);

 private:
  void read(const std::string& path);
  void add(const Finished& finished);

  std::string folder_;
  std::string path_;
  /// By id, of each the last one first. There are several where a request was changed and its image
  /// made again, and manifests are read in any order: only the file tells which one it is.
  std::multimap<std::string, Finished> finished_;
  std::unique_ptr<File> file_;  ///< opened at the first write
};

}  // namespace kandinsky::jobs
