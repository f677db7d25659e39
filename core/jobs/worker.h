#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "jobs/manifest.h"
#include "jobs/request.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {

/// A request that was checked and has its name. What it asks for is read again when it is its turn:
/// a million of these have to fit into memory.
struct Line {
  std::size_t number = 0;  ///< for messages
  std::string json;
  std::string id;       ///< its own, or the request's digest
  std::string request;  ///< digest of all that makes the image up: weights and version, too
  const std::string* group = nullptr;  ///< the same for lines that may be generated together
  std::size_t texts = 0;               ///< a hash of its texts
  double work = 0;                     ///< a measure of its steps and pixels
};

/// What became of a line: a finished image, or why there is none.
struct Outcome {
  const Line* line = nullptr;
  Finished finished;
  kandinsky_status status = KANDINSKY_OK;
  std::string message;
};

/// Makes the images of requests, once each, into a folder: a temporary file that is put on the disk
/// and renamed, then a line in the manifest. Models are opened once each, and those of one model
/// hold weights at a time.
class Worker {
 public:
  struct Reports {
    Engine::Progress progress;  ///< of the job that runs
    Engine::Message message;    ///< remarks, each text once
  };

  /// output: a folder that exists. manifest: the name of this process's file in it. threads: that
  /// LibTorch computes with, so many images are made at once where they fit into memory.
  Worker(RequestReader reader, std::string output, const std::string& manifest, std::size_t threads,
         Reports reports);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Reads and checks a request: its words, its files, its model, and whether the model can do it.
  /// Throws StatusError.
  Line check(std::size_t number, std::string json);

  /// What was made of it before and is whole, or null.
  const Finished* find(const Line& line) const { return manifest_.find(line.id, line.request); }

  /// Makes the lines' images in the order that is quickest, and calls `done` for each. Ends early
  /// where nothing can be made any more, such as on a full disk. Throws StatusError:
  /// KANDINSKY_CANCELLED.
  void run(std::vector<Line> lines, const std::function<void(const Outcome&)>& done);

  /// Ends run() within a step. From any thread.
  void cancel();

 private:
  struct Model;
  struct Image;

  /// With its seeds.
  Request read(const std::string& json);
  std::string canonical_of(const Request& request);
  Model& model_of(const Request& request);
  /// Lets the others forget their weights.
  void use(Model& model);
  std::string digest_of(const ImageSource& source);
  void check_group(Model& model, Request request);

  void run_group(std::span<const Line> lines);
  std::vector<Image> read_images(std::span<const Line> lines);
  void encode_texts(Model& model, const std::vector<Image>& images);
  void generate(Model& model, std::span<Image> images);
  void save(Model& model, const Image& image, const std::uint8_t* pixels, double seconds);
  void fail(const Line& line, const StatusError& error);

  RequestReader reader_;
  std::string output_;
  std::size_t threads_;
  Manifest manifest_;
  Reports reports_;
  std::map<std::string, std::unique_ptr<Model>> models_;  ///< by their settings
  std::map<std::string, std::string> digests_;            ///< of images, by path
  std::set<std::string> groups_;                          ///< that their model can do
  std::set<std::string> said_;                            ///< remarks
  const std::function<void(const Outcome&)>* done_ = nullptr;
  int failures_in_a_row_ = 0;
  std::mutex mutex_;  ///< of `used_`
  Model* used_ = nullptr;
};

}  // namespace kandinsky::jobs
