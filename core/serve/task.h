#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/request.h"
#include "kandinsky.hpp"

namespace kandinsky::serve {

/// The requested images, checked as far as possible without the engine.
struct Order {
  jobs::Request request;                       ///< of one image
  std::vector<std::uint64_t> seeds;            ///< of each image
  std::vector<std::uint64_t> variation_seeds;  ///< likewise; empty: no variation
  std::size_t batch_size = 1;                  ///< images generated at once
  std::string format = "png";
  bool alpha_is_mask = false;  ///< what is transparent in the mask, or the image, is inpainted
  std::vector<std::string> remarks;  ///< about fields without effect
};

struct ImageFile {
  std::uint64_t seed = 0;
  std::uint64_t variation_seed = 0;
  std::vector<std::uint8_t> bytes;
  std::string parameters;  ///< as in a PNG file
  std::int32_t width = 0;
  std::int32_t height = 0;
};

/// The sampler's latents, from kandinsky_progress.
struct Latents {
  std::vector<float> values;
  std::array<std::int32_t, 4> shape{};
};

struct Progress {
  std::string stage;  ///< empty: none yet
  std::int32_t step = 0;
  std::int32_t steps = 0;
  double done = 0;  ///< fraction of the whole task, 0 to 1
  std::size_t batch = 0;
};

/// An order in progress, shared by the server's thread and the worker's.
class Task {
 public:
  enum class State : int { kQueued, kRunning, kDone, kFailed, kCancelled };
  enum class Wish : int {
    kNone,
    kSkip,    ///< end this batch early
    kFinish,  ///< and start no other
    kCancel,  ///< discard the task
  };
  using Clock = std::chrono::steady_clock;

  struct Status {
    State state = State::kQueued;
    Progress progress;
    int error_status = 0;  ///< of HTTP
    std::string error;
    double waited = 0;  ///< seconds
    double worked = 0;

    bool is_over() const { return state > State::kRunning; }
  };

  /// No order: unloads the weights.
  Task(std::string id, std::optional<Order> order) : id_(std::move(id)), order_(std::move(order)) {}

  const std::string& id() const { return id_; }
  const std::optional<Order>& order() const { return order_; }

  Status status() const;
  Latents latents() const;
  /// Of a task that has ended; empty before.
  const std::vector<ImageFile>& images() const { return images_; }
  const std::vector<std::string>& remarks() const { return remarks_; }
  bool is_over() const { return status().is_over(); }

  std::atomic<Wish> wish = Wish::kNone;

  // The worker's thread:
  void begin();
  void set_progress(const Progress& progress, const Latents* latents);
  /// Before finish().
  void add_image(ImageFile image) { images_.push_back(std::move(image)); }
  void add_remark(const std::string& text);
  void finish(State state, int error_status = 0, const std::string& error = {});

 private:
  const std::string id_;
  const std::optional<Order> order_;
  mutable std::mutex mutex_;  ///< of the members below, except images and remarks
  Status status_;
  Latents latents_;
  Clock::time_point since_ = Clock::now();  ///< start of the state
  std::vector<ImageFile> images_;
  std::vector<std::string> remarks_;
};

/// "queued", "running", "done", "failed" or "cancelled".
const char* state_name(Task::State state);

}  // namespace kandinsky::serve
