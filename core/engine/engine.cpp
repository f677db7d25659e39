#include "engine/engine.h"

#include <ATen/ThreadLocalState.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <torch/version.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "base/span.h"
#include "base/utf8.h"
#include "engine/generate.h"
#include "io/images/image.h"
#include "io/model_dir.h"
#include "io/weights_digest.h"
#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/families/families.h"
#include "pipelines/family.h"
#include "pipelines/images/source.h"
#include "pipelines/job.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "tensor/adapters.h"
#include "tensor/arena.h"
#include "tensor/bridge.h"
#include "tensor/device.h"
#include "tensor/prepared_weights.h"
#include "tensor/run_context.h"
#include "tensor/speedups.h"
#include "tensor/team.h"

namespace kandinsky::engine {

using pipelines::Embeds;
using pipelines::job_of;
using pipelines::Monitor;
using pipelines::Pipeline;
using pipelines::Source;

namespace {

/// The precision is chosen again for another device: a GPU's may not be supported by a CPU.
tensor::Placement prior_placement(tensor::Placement placement, const EngineOptions& options) {
  if (options.prior_device.empty()) return placement;
  const tensor::Placement there =
      tensor::choose_placement(options.prior_device, options.precision == "fp32" ? "fp32" : "auto")
          .placement;
  if (there.device == placement.device) return placement;
  placement.device = there.device;
  placement.dtype = there.dtype;
  return placement;
}

/// An option that takes a component from elsewhere.
struct ReplacementRow {
  const char* name;
  std::string EngineOptions::*path;
  const char* role;
  const char* component;
};

constexpr std::array kReplacements{
    ReplacementRow{"unet", &EngineOptions::unet, "", "unet"},
    ReplacementRow{"movq", &EngineOptions::movq, "", "movq"},
    ReplacementRow{"text_encoder", &EngineOptions::text_encoder, "", "text_encoder"},
    ReplacementRow{"prior_model", &EngineOptions::prior_model, "prior", "prior"},
    ReplacementRow{"prior_text_encoder", &EngineOptions::prior_text_encoder, "prior",
                   "text_encoder"},
    ReplacementRow{"image_encoder", &EngineOptions::image_encoder, "prior", "image_encoder"},
};

/// "file.safetensors [1a2b3c4d]"
std::string name_and_digest(std::string_view path, Span<const std::string_view> files) {
  constexpr size_t kDigits = 8;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::vector<char> valid = replace_invalid_utf8(path.substr(path.rfind('/') + 1));
  const std::vector<char> name = quote_controls({valid.data(), valid.size()});
  return fmt::format("{} [{}]", std::string_view(name.data(), name.size()),
                     view_of(io::digest_files(files)).substr(0, kDigits));
}

/// Linux numbers its threads with 22 bits at most.
constexpr unsigned kThreadBits = 22;
constexpr uint64_t kThreadMask = (uint64_t{1} << kThreadBits) - 1;

/// Milliseconds of a clock, and this thread.
uint64_t moment() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return static_cast<uint64_t>(ms) << kThreadBits |
         (static_cast<uint64_t>(::syscall(SYS_gettid)) & kThreadMask);
}

/// Whether a cancel() of that moment applies to a job that begins here and now. A caller that
/// starts a thread and cancels does not know whether the thread has reached its job; a caller that
/// cancels and then starts a job on the same thread wants the job.
bool is_for_a_job_here(uint64_t cancelled_at) {
  constexpr uint64_t kPatienceMs = 1000;
  const uint64_t now = moment();
  const bool is_own = ((cancelled_at ^ now) & kThreadMask) == 0;
  return !is_own && (now >> kThreadBits) - (cancelled_at >> kThreadBits) <= kPatienceMs;
}

void leave_out_unused(PromptRequest& prompts, const DenoiseRequest& request) {
  if (request.guidance_scale <= 1.0) prompts.wants_negative_embeds = false;
}

/// Calls a caller's function with the LibTorch state of its thread outside the job.
template <typename Result, typename... Arguments>
std::function<Result(Arguments...)> under(const at::ThreadLocalState& state,
                                          const std::function<Result(Arguments...)>& function) {
  if (!function) return {};
  return [&state, &function](Arguments... arguments) {
    const at::ThreadLocalStateGuard guard(state);
    return function(std::forward<Arguments>(arguments)...);
  };
}

}  // namespace

Engine::Engine(const EngineOptions& options)
    : placement_(tensor::choose_placement(options.device, options.precision)),
      max_memory_(options.max_memory),
      process_(::getpid()) {
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  placement_.placement.speedups = tensor::speedups_without(options.without);
  placement_.placement.int8_weights = options.int8_weights;
  placement_.placement.adapters = std::make_shared<tensor::Adapters>();
  if (!options.prepared_weights.empty()) {
    if (!tensor::can_prepare_weights()) {
      throw Error(
          ErrorCode::kUnsupported,
          fmt::format(
              "prepared_weights: LibTorch {} cannot store packed weights, 2.6 can; switch the "
              "option off",
              TORCH_VERSION));
    }
    placement_.placement.prepared_weights.emplace(
        options.prepared_weights, static_cast<uint64_t>(options.prepared_weights_size));
  }
  if (options.model_dir.empty())
    throw Error(ErrorCode::kInvalidArgument, "no model folder was given");
  std::vector<io::Replacement> replacements;
  for (const ReplacementRow& row : kReplacements) {
    const std::string& path = options.*row.path;
    if (!path.empty())
      replacements.push_back({.role = row.role, .component = row.component, .path = path});
  }
  const io::ModelDir model = io::ModelDir::open(options.model_dir).with(replacements);
  family_ = pipelines::find_family(model);
  if (family_ == nullptr) {
    std::string known;
    for (const pipelines::Family& family : pipelines::families())
      known += (known.empty() ? "" : ", ") + std::string(family.name);
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: the model class {} is of no known family; known are: {}",
                            model.path(), model.pipeline_class(), known));
  }
  pipeline_ = family_->open(
      model,
      {.prior = options.prior_dir,
       .inpaint = options.inpaint_dir,
       .places = options.companion_dirs},
      {.decoder = placement_.placement, .prior = prior_placement(placement_.placement, options)});
  if (!replacements.empty()) {
    const io::ModelDir prior = model.companion(pipeline_->prior_path(), "prior");
    for (const ReplacementRow& row : kReplacements) {
      const std::string& path = options.*row.path;
      if (path.empty()) continue;
      const io::ComponentFiles files = (*row.role == '\0' ? model : prior).weights(row.component);
      replaced_ += fmt::format("{}: {}\n", row.name, name_and_digest(path, files.weights()));
    }
  }
  set_loras(options.loras);
}

void Engine::set_loras(const std::vector<std::string>& loras) {
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  std::vector<tensor::AdapterChoice> choices;
  std::string described;
  for (const std::string& lora : loras) {
    const auto& [path, weight] = choices.emplace_back(tensor::parse_adapter(lora));
    const std::array<std::string_view, 1> files{path};
    described += fmt::format("{}{}: {}", described.empty() ? "loras: " : " + ",
                             name_and_digest(path, files), weight);
  }
  placement_.placement.adapters->choose(choices);
  loras_ = std::move(described);
  if (!loras_.empty()) loras_ += '\n';
}

Engine::Turn::Turn(Engine& engine) : engine_(engine) {
  if (engine.process_ != ::getpid()) {
    throw Error(ErrorCode::kIncompatible,
                "this process was forked after the engine was opened; open engines in the child, "
                "or start it with \"spawn\"");
  }
  if (engine.busy_.exchange(true))
    throw Error(ErrorCode::kBusy, "the engine is running another job; wait for it or cancel it");
}

Engine::Job::Job(Engine& engine) : turn_(engine), cancel_(engine.cancel_) {
  if (!cancel_.requested()) return;
  const uint64_t last = engine.cancelled_at_;
  if (is_for_a_job_here(last)) return;
  cancel_.clear();
  // But keep one that came at this moment.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (engine.cancelled_at_ != last) cancel_.request();
}

void Engine::cancel() noexcept {
  cancelled_at_ = moment();
  cancel_.request();
}

template <typename Body>
auto Engine::run(const Body& body) {
  cancel_.check();
  const at::ThreadLocalState callers;
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  const tensor::RunScope scope(
      [](tensor::RunContext& context) { context.arena = tensor::make_arena(); });
  const auto say = under(callers, on_message_);
  // Remarks quote prompts and names, which may be untrusted.
  const auto say_quoted = [&say](const std::string& message) {
    const std::vector<char> quoted = quote_controls(message);
    say({quoted.begin(), quoted.end()});
  };
  const Monitor monitor(cancel_, under(callers, on_step_),
                        say ? pipelines::Monitor::MessageSink(say_quoted) : nullptr);
  return body(monitor);
}

void Engine::begin(const pipelines::Job& job, const Monitor& monitor) {
  pipeline_->check(job);
  pipeline_->plan_memory(job, max_memory_, monitor);
}

void Engine::set_step_sink(Monitor::StepSink sink) { on_step_ = std::move(sink); }

void Engine::set_message_sink(Monitor::MessageSink sink) { on_message_ = std::move(sink); }

Pipeline::EncodedPrompts Engine::encode_prompts(const PromptRequest& request) {
  return run([&](const Monitor& monitor) {
    begin({.prompts = &request}, monitor);
    return pipeline_->encode_prompts(request, monitor);
  });
}

Embeds Engine::encode_images(const std::vector<io::Image>& images) {
  return run([&](const Monitor& monitor) {
    begin({.images = &images}, monitor);
    return pipeline_->encode_images(images, monitor);
  });
}

at::Tensor Engine::denoise(const Embeds& embeds, const Embeds* negative_embeds,
                           const DenoiseRequest& request) {
  return run([&](const Monitor& monitor) {
    pipelines::Job job = job_of(request);
    job.embeds = &embeds;
    job.negative_embeds = negative_embeds;
    begin(job, monitor);
    return pipeline_->denoise(embeds, negative_embeds, request, monitor).contiguous();
  });
}

void Engine::decode(const at::Tensor& latents, int64_t width, int64_t height, bool tiling,
                    uint8_t* images) {
  run([&](const Monitor& monitor) {
    begin({.decodes = true,
           .width = width,
           .height = height,
           .batch_size = latents.size(0),
           .tiling = tiling},
          monitor);
    tensor::to_images(pipeline_->decode(latents, tiling, monitor), height, width, images);
  });
}

at::Tensor Engine::encode(const uint8_t* images, int64_t batch_size, int64_t width, int64_t height,
                          bool tiling) {
  return run([&](const Monitor& monitor) {
    begin({.encodes = true,
           .width = width,
           .height = height,
           .batch_size = batch_size,
           .tiling = tiling},
          monitor);
    const auto [latent_height, latent_width] = geometry().latent_size(width, height);
    const at::Tensor pixels = tensor::from_images(images, batch_size, height, width);
    const int64_t factor = geometry().latent_factor;
    const at::Tensor whole =
        tensor::extend_border(pixels, latent_height * factor, latent_width * factor);
    return pipeline_->encode(whole, tiling, monitor).contiguous();
  });
}

void Engine::text_to_image(PromptRequest prompts, const DenoiseRequest& request, uint8_t* images) {
  leave_out_unused(prompts, request);
  run([&](const Monitor& monitor) {
    pipelines::Job job = job_of(request);
    job.prompts = &prompts;
    job.decodes = true;
    begin(job, monitor);
    const auto [embeds, negative_embeds] = pipeline_->encode_prompts(prompts, monitor);
    engine::generate(*pipeline_, embeds, &negative_embeds, request, monitor, images);
  });
}

void Engine::image_to_image(PromptRequest prompts, const DenoiseRequest& request,
                            const SourceRequest& source, uint8_t* images) {
  leave_out_unused(prompts, request);
  run([&](const Monitor& monitor) {
    const DenoiseRequest whole = pipelines::with_stand_ins(geometry(), source, request);
    pipelines::Job job = job_of(whole);
    job.prompts = &prompts;
    job.encodes = job.decodes = true;
    pipeline_->check(job);
    const Source prepared = pipelines::prepare_source(geometry(), source, whole, monitor);
    Pipeline::EncodedPrompts encoded;
    if (!prepared.unchanged) {
      pipeline_->plan_memory(job, max_memory_, monitor);
      encoded = pipeline_->encode_prompts(prompts, monitor);
    }
    engine::generate_from(*pipeline_, prepared, encoded.embeds, &encoded.negative_embeds, request,
                          monitor, images);
  });
}

void Engine::generate(const Embeds& embeds, const Embeds* negative_embeds,
                      const DenoiseRequest& request, const SourceRequest* source, uint8_t* images) {
  run([&](const Monitor& monitor) {
    const auto job_with = [&](const DenoiseRequest& whole) {
      pipelines::Job job = job_of(whole);
      job.embeds = &embeds;
      job.negative_embeds = negative_embeds;
      job.encodes = source != nullptr;
      job.decodes = true;
      return job;
    };
    if (source == nullptr) {
      begin(job_with(request), monitor);
      engine::generate(*pipeline_, embeds, negative_embeds, request, monitor, images);
      return;
    }
    const DenoiseRequest whole = pipelines::with_stand_ins(geometry(), *source, request);
    pipeline_->check(job_with(whole));
    const Source prepared = pipelines::prepare_source(geometry(), *source, whole, monitor);
    if (!prepared.unchanged) pipeline_->plan_memory(job_with(whole), max_memory_, monitor);
    engine::generate_from(*pipeline_, prepared, embeds, negative_embeds, request, monitor, images);
  });
}

pipelines::MemorySummary Engine::describe_memory(int64_t width, int64_t height,
                                                 int64_t batch_size) {
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  check_batch_size(batch_size);
  const auto count = static_cast<size_t>(batch_size);
  PromptRequest prompts;
  prompts.prompts.resize(count);
  prompts.seeds.resize(count);
  DenoiseRequest request;
  request.width = static_cast<int>(width);
  request.height = static_cast<int>(height);
  request.seeds.resize(count);
  // The plan is the same for any hint, and there is none yet.
  const auto factor = static_cast<int>(geometry().latent_factor);
  if (pipeline_->takes_hints())
    request.hints = {{.width = factor, .height = factor, .channels = 3, .pixels = {}}};
  pipelines::Job job = job_of(request);
  job.prompts = &prompts;
  job.decodes = true;
  pipeline_->check(job);
  return pipeline_->describe_memory(job, max_memory_);
}

void Engine::check(PromptRequest prompts, const DenoiseRequest& request,
                   const SourceRequest* source) {
  leave_out_unused(prompts, request);
  run([&](const Monitor& monitor) {
    const DenoiseRequest whole =
        source == nullptr ? request : pipelines::with_stand_ins(geometry(), *source, request);
    pipelines::Job job = job_of(whole);
    job.prompts = &prompts;
    job.encodes = source != nullptr;
    job.decodes = true;
    pipeline_->check(job);
    if (source != nullptr) pipelines::prepare_source(geometry(), *source, whole, monitor);
  });
}

void Engine::unload() { pipeline_->unload(); }

}  // namespace kandinsky::engine
