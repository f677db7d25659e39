#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "io/images/image.h"
#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/family.h"
#include "pipelines/geometry.h"
#include "pipelines/job.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "tensor/device.h"

namespace kandinsky::engine {

/// A pipeline that stays loaded and runs one job at a time: with several callers, each
/// creates a Turn or a Job first. cancel() may be called from any thread at any time.
class Engine {
 public:
  /// Reserves the engine for this caller while it exists. Throws Error(kBusy) if it is reserved,
  /// Error(kIncompatible) in a process that was forked after the engine was opened.
  class Turn {
   public:
    explicit Turn(Engine& engine);
    ~Turn() { engine_.busy_.store(false); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Engine& engine_;
  };

  /// A turn that cancel() ends: created before a request is read, so that no cancel() is lost.
  class Job {
   public:
    explicit Job(Engine& engine);
    ~Job() { cancel_.clear(); }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

   private:
    Turn turn_;
    CancelFlag& cancel_;
  };

  /// Throws Error as the folders' readers do.
  explicit Engine(const EngineOptions& options);

  const char* family() const { return family_->name; }
  const pipelines::Geometry& geometry() const { return pipeline_->geometry(); }
  std::string_view prior_path() const { return pipeline_->prior_path(); }
  std::string_view inpaint_path() const { return pipeline_->inpaint_path(); }
  const char* own_sampler() const { return pipeline_->own_sampler(); }
  bool takes_hints() const { return pipeline_->takes_hints(); }
  const tensor::ChosenPlacement& placement() const { return placement_; }

  void set_step_sink(pipelines::Monitor::StepSink sink);
  void set_message_sink(pipelines::Monitor::MessageSink sink);

  pipelines::Pipeline::EncodedPrompts encode_prompts(const PromptRequest& request);
  pipelines::Embeds encode_images(const std::vector<io::Image>& images);
  at::Tensor denoise(const pipelines::Embeds& embeds, const pipelines::Embeds* negative_embeds,
                     const DenoiseRequest& request);
  /// latents -> uint8 images [B, height, width, 3], written to `images` when all are finished.
  void decode(const at::Tensor& latents, int64_t width, int64_t height, bool tiling,
              uint8_t* images);
  /// uint8 images [B, height, width, 3] -> latents; sides are padded to the size multiple by
  /// repeating the border.
  at::Tensor encode(const uint8_t* images, int64_t batch_size, int64_t width, int64_t height,
                    bool tiling);
  /// Without guidance, what only negative embeds need is neither asked for nor loaded.
  void text_to_image(PromptRequest prompts, const DenoiseRequest& request, uint8_t* images);
  void image_to_image(PromptRequest prompts, const DenoiseRequest& request,
                      const SourceRequest& source, uint8_t* images);
  /// From embeds; from noise without a source.
  void generate(const pipelines::Embeds& embeds, const pipelines::Embeds* negative_embeds,
                const DenoiseRequest& request, const SourceRequest* source, uint8_t* images);
  /// Throws what text_to_image and, with a source, image_to_image would before their first step,
  /// except for a lack of memory.
  void check(PromptRequest prompts, const DenoiseRequest& request, const SourceRequest* source);
  void unload();

  /// Merges these LoRAs from now on, each "FILE" or "FILE:WEIGHT", instead of the previous ones.
  /// Networks whose weights change are loaded again by the next job that needs them. Throws Error,
  /// with nothing changed, as tensor::parse_adapter and tensor::Adapters::choose.
  void set_loras(const std::vector<std::string>& loras);

  /// Weights that are not the model's own, for an image's parameters: a line for each option,
  /// such as "unet: file.safetensors [1a2b3c4d]", with the first digits of io::digest_files().
  std::string describe_changes() const { return replaced_ + loras_; }

  /// The plan for a whole image from texts. Throws Error(kOutOfMemory) if the
  /// job would, Error(kUnsupported) on an accelerator.
  pipelines::MemorySummary describe_memory(int64_t width, int64_t height, int64_t batch_size);

  /// Cancels the running job, or one that is about to begin, at its next step.
  void cancel() noexcept;

 private:
  /// Runs the body under the guards of a job.
  template <typename Body>
  auto run(const Body& body);
  /// Checks the job and plans its memory.
  void begin(const pipelines::Job& job, const pipelines::Monitor& monitor);

  tensor::ChosenPlacement placement_;
  int64_t max_memory_ = 0;
  const pipelines::Family* family_ = nullptr;
  std::unique_ptr<pipelines::Pipeline> pipeline_;
  std::string replaced_;  ///< lines of describe_changes(), as are
  std::string loras_;
  pipelines::Monitor::StepSink on_step_;
  pipelines::Monitor::MessageSink on_message_;
  CancelFlag cancel_;
  std::atomic<uint64_t> cancelled_at_{0};  ///< time and thread of the last cancel()
  std::atomic<bool> busy_{false};
  int process_;  ///< that opened the engine
};

}  // namespace kandinsky::engine
