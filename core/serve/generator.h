#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "jobs/job.h"
#include "jobs/settings.h"
#include "kandinsky.hpp"
#include "serve/preview.h"
#include "serve/task.h"

namespace kandinsky::serve {

/// Runs tasks on the engine.
class Generator {
 public:
  /// settings: of the engine. Throws StatusError.
  explicit Generator(const jobs::Settings& settings);

  /// Generates the task's images, batch by batch, or unloads the weights. Throws StatusError and
  /// RequestError. One task at a time.
  void work(Task& task);

  /// Ends the engine's job soon. From any thread.
  void cancel() { engine_.cancel(); }

  const kandinsky_engine_info& info() const { return info_; }
  /// Name of the model's folder, and a short hash of its weights.
  const std::string& model() const { return model_; }
  const std::string& hash() const { return hash_; }

  /// A preview of a task's sampler; nothing before its first step.
  std::optional<Image> preview(const Task& task) const;

 private:
  class Watch;
  void generate(Task& task);
  jobs::Job read_images(Task& task) const;
  void check_size(const jobs::Job& job, std::size_t count, std::size_t batch_size);
  void measure_previews(Task& task);

  Engine engine_;
  kandinsky_engine_info info_;
  std::string model_;
  std::string hash_;
  mutable std::mutex mutex_;  ///< of `projection_`
  std::shared_ptr<const Projection> projection_;
};

}  // namespace kandinsky::serve
