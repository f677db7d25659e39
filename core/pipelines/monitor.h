#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"

namespace kandinsky::pipelines {

/// A job's connection to its caller: progress, remarks, and stop requests.
class Monitor {
 public:
  /// latents: the predicted clean latents in stage "denoise", else undefined.
  using StepSink =
      std::function<ProgressAction(const Progress& progress, const at::Tensor& latents)>;
  using MessageSink = std::function<void(const std::string& message)>;

  Monitor(const CancelFlag& cancel, StepSink on_step, MessageSink on_message)
      : cancel_(cancel), on_step_(std::move(on_step)), on_message_(std::move(on_message)) {}

  /// Reports a stage's progress. If false, end the stage now and continue with its result so far.
  /// Throws Error(kCancelled) if a stop was requested.
  bool report(const char* stage, int step, int steps, const at::Tensor& latents = {}) const;

  /// Throws Error(kCancelled) if a stop was requested. Call it before each long piece of work.
  void check_cancelled() const { cancel_.check(); }

  void say(const std::string& message) const {
    if (on_message_) on_message_(message);
  }

  /// The same, which also appends its remarks to a list. This object and the list must outlive it.
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
