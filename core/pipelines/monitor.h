#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"

namespace kandinsky::pipelines {

/// How a job speaks to whoever started it: progress, remarks, and the wish to stop.
class Monitor {
 public:
  /// latents: the predicted clean latents in stage "denoise", else undefined.
  using StepSink =
      std::function<ProgressAction(const Progress& progress, const at::Tensor& latents)>;
  using MessageSink = std::function<void(const std::string& message)>;

  Monitor(const CancelFlag& cancel, StepSink on_step, MessageSink on_message)
      : cancel_(cancel), on_step_(std::move(on_step)), on_message_(std::move(on_message)) {}

  /// Tells how far a stage is. False asks to end the stage now and to go on with what there is.
  /// Throws Error(kCancelled) if a stop was asked for.
  bool report(const char* stage, int step, int steps, const at::Tensor& latents = {}) const;

  /// Throws Error(kCancelled) if a stop was asked for: to be called before each long piece of work.
  void check_cancelled() const { cancel_.check(); }

  void say(const std::string& message) const {
    if (on_message_) on_message_(message);
  }

  /// The same, which also puts its remarks into a list. This object and the list outlive it.
  Monitor recording(std::vector<std::string>& remarks) const {
    return {cancel_, on_step_, [this, &remarks](const std::string& message) {
              remarks.push_back(message);
              say(message);
            }};
  }

 private:
  const CancelFlag& cancel_;
  StepSink on_step_;
  MessageSink on_message_;
};

}  // namespace kandinsky::pipelines
