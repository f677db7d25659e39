#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "jobs/files.h"

namespace kandinsky::jobs {

/// An image that is finished, as a line of JSON in the manifest.
struct Finished {
  std::string id;
  std::string request;  ///< digest of all that makes the image up
  std::string file;     ///< its name in the folder
  std::string sha256;   ///< of the file
  std::uint64_t seed = 0;
  double seconds = 0;  ///< that generating it took
  std::string device;
  std::string precision;

  std::string to_json() const;
};

/// What a folder of images holds: lines that are appended, one for each finished image. All
/// manifests of the folder are read; each process that writes at the same time has one of its own.
class Manifest {
 public:
  /// name: of this process's file in the folder, "manifest*.jsonl". Throws StatusError.
  Manifest(const std::string& folder, const std::string& name);

  /// What was made for the id, if it was by the same request and its file is whole; else null.
  const Finished* find(const std::string& id, const std::string& request) const;

  /// Throws StatusError.
  void append(const Finished& finished);

 private:
  void read(const std::string& path);

  std::string folder_;
  std::string path_;
  std::map<std::string, Finished> finished_;  ///< by id
  std::unique_ptr<File> file_;                ///< once there is something to write
};

}  // namespace kandinsky::jobs
