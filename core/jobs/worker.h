#pragma once

#include <cstddef>
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

/// A checked request with its id. The request is parsed again when it runs, since a million of
/// these must fit into memory.
struct Line {
  std::size_t number = 0;  ///< for messages
  std::string json;
  std::string id;  ///< its own, or the request's digest
  std::string
      request;  ///< digest of everything that determines the image, including weights and version
  const std::string* group = nullptr;  ///< equal for lines that may be generated together
  std::size_t texts = 0;               ///< a hash of its texts
  double work = 0;                     ///< a measure of its steps and pixels
};

/// The result of a line: a finished image, or an error.
struct Outcome {
  const Line* line = nullptr;
  Finished finished;
  kandinsky_status status = KANDINSKY_OK;
  std::string message;
};

/// Generates the images of requests, once each, into a folder: a temporary file is synced to the
/// disk and renamed, then a line is added to the manifest. Each model is opened once, and one model
/// holds weights at a time.
class Worker {
 public:
  struct Reports {
    Engine::Progress progress;  ///< of the running job
    Engine::Message message;    ///< remarks, each text once
  };

  /// output: an existing folder. manifest: the name of this process's file in it. threads: of
  /// LibTorch; so many images are generated at once if they fit into memory.
  Worker(RequestReader reader, std::string output, const std::string& manifest, std::size_t threads,
         Reports reports);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Parses and checks a request: its values, its files, its model, and whether the model supports
  /// it. Throws StatusError.
  Line check(std::size_t number, std::string json);

  /// Its finished, complete image from before, or null.
  const Finished* find(const Line& line) const { return manifest_.find(line.id, line.request); }

  /// Generates the lines' images in the fastest order, and calls `done` for each. Ends early
  /// after repeated failures, such as on a full disk. Throws StatusError:
  /// KANDINSKY_CANCELLED.
  void run(std::vector<Line> lines, const std::function<void(const Outcome&)>& done);

  /// Ends run() within a step. From any thread.
  void cancel();

 private:
  struct Model;
  struct Image;

  /// Including its seeds.
  Request read(const std::string& json);
  std::string canonical_of(const Request& request);
  Model& model_of(const Request& request);
  /// Unloads the other models.
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
  std::set<std::string> groups_;                          ///< supported by their model
  std::set<std::string> said_;                            ///< remarks
  const std::function<void(const Outcome&)>* done_ = nullptr;
  int failures_in_a_row_ = 0;
  std::mutex mutex_;  ///< of `used_`
  Model* used_ = nullptr;
};

}  // namespace kandinsky::jobs
