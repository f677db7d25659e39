#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "buffers.h"
#include "embeds.h"
#include "kandinsky.hpp"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;
using Texts = std::vector<std::string>;
using Seeds = std::vector<std::uint64_t>;

/// The engine for one Python object. Members are touched with the GIL held, except `engine` during
/// a job.
///
/// Python callbacks are passed to each call and kept for its time only: a reference that outlived
/// it would be one that Python's garbage collector cannot see, and a callback mostly refers to its
/// engine.
class PyEngine {
 public:
  PyEngine(const std::string& model_dir, const std::string& prior_dir, const std::string& device,
           const std::string& precision) {
    const py::gil_scoped_release release;
    engine_ = std::make_shared<Engine>(model_dir, prior_dir, device, precision);
    engine_->set_progress(
        [this](const kandinsky_progress& progress) { return on_progress(progress); });
    engine_->set_message([this](const char* message) { on_message(message); });
  }
  ~PyEngine() {
    const py::gil_scoped_release release;
    engine_.reset();
  }
  PyEngine(const PyEngine&) = delete;
  PyEngine& operator=(const PyEngine&) = delete;

  /// A job that runs is cancelled and frees the engine when it ends.
  void close() {
    std::shared_ptr<Engine> engine = std::move(engine_);
    if (!engine) return;
    engine->cancel();
    const py::gil_scoped_release release;
    engine.reset();
  }

  /// Throws StatusError(KANDINSKY_INVALID_ARGUMENT) after close().
  std::shared_ptr<Engine> get() const {
    if (!engine_) throw StatusError(KANDINSKY_INVALID_ARGUMENT, "the engine is closed");
    return engine_;
  }

  void cancel() const {
    if (engine_) engine_->cancel();
  }

  /// Calls job(engine) without the GIL and with these callbacks in place.
  template <typename Job>
  auto run(const py::object& progress, const py::object& message, const Job& job) {
    std::shared_ptr<Engine> engine = get();
    if (progress_ != nullptr)
      throw StatusError(KANDINSKY_BUSY, "the engine is running another job");
    progress_ = &progress;
    message_ = &message;
    const std::unique_ptr<PyEngine, EndOfJob> end(this);
    const py::gil_scoped_release release;
    // Inside the release, so that an engine that was closed meanwhile is freed without the GIL.
    const std::shared_ptr<Engine> kept = std::move(engine);
    return job(*kept);
  }

 private:
  struct EndOfJob {
    void operator()(PyEngine* engine) const {
      engine->progress_ = nullptr;
      engine->message_ = nullptr;
    }
  };

  kandinsky_action on_progress(const kandinsky_progress& progress) {
    const py::gil_scoped_acquire acquire;
    // Ctrl-C in the main thread becomes KeyboardInterrupt here.
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    py::object latents = py::none();
    if (progress.latents != nullptr) {
      const Shape shape(progress.shape, progress.shape + 4);
      std::size_t count = 1;
      for (const py::ssize_t side : shape) count *= static_cast<std::size_t>(side);
      latents = to_python(std::vector<float>(progress.latents, progress.latents + count), shape);
    }
    const py::object action = (*progress_)(progress.stage, progress.step, progress.steps, latents);
    return static_cast<kandinsky_action>(action.cast<int>());
  }

  void on_message(const char* message) {
    const py::gil_scoped_acquire acquire;
    (*message_)(message);
  }

  std::shared_ptr<Engine> engine_;
  const py::object* progress_ = nullptr;  ///< of the job that runs, as is `message_`
  const py::object* message_ = nullptr;
};

py::dict info(const PyEngine& self) {
  const std::shared_ptr<Engine> engine = self.get();
  const kandinsky_engine_info info = engine->info();
  return py::dict("family"_a = info.family, "device"_a = info.device,
                  "precision"_a = info.precision, "reason"_a = info.reason,
                  "prior_dir"_a = info.prior_dir, "native_size"_a = info.native_size,
                  "latent_channels"_a = info.latent_channels,
                  "latent_factor"_a = info.latent_factor, "size_multiple"_a = info.size_multiple);
}

/// [batch, channels, latent height, latent width]. Throws for impossible sizes.
Shape latent_shape(const Engine& engine, std::size_t batch_size, std::int32_t width,
                   std::int32_t height) {
  const auto [latent_width, latent_height] = engine.latent_size(width, height);
  return {static_cast<py::ssize_t>(batch_size), engine.info().latent_channels, latent_height,
          latent_width};
}

PromptOptions prompt_options(const Texts& prompts, const std::optional<Texts>& negative_prompts,
                             const Seeds& seeds, std::int32_t num_inference_steps,
                             double guidance_scale) {
  PromptOptions options;
  options.prompts = prompts;
  options.has_negative_prompts = negative_prompts.has_value();
  if (negative_prompts) options.negative_prompts = *negative_prompts;
  options.seeds = seeds;
  options.prior_num_inference_steps = num_inference_steps;
  options.prior_guidance_scale = guidance_scale;
  return options;
}

DenoiseOptions denoise_options(std::int32_t width, std::int32_t height, const Seeds& seeds,
                               const std::string& sampler, std::int32_t num_inference_steps,
                               double guidance_scale) {
  DenoiseOptions options;
  options.width = width;
  options.height = height;
  options.seeds = seeds;
  options.sampler = sampler;
  options.num_inference_steps = num_inference_steps;
  options.guidance_scale = guidance_scale;
  return options;
}

std::pair<SharedEmbeds, SharedEmbeds> encode_prompts(
    PyEngine& self, const Texts& prompts, const std::optional<Texts>& negative_prompts,
    const Seeds& seeds, std::int32_t prior_num_inference_steps, double prior_guidance_scale,
    const py::object& progress, const py::object& message) {
  const PromptOptions options = prompt_options(prompts, negative_prompts, seeds,
                                               prior_num_inference_steps, prior_guidance_scale);
  return self.run(progress, message, [&](Engine& engine) {
    auto [embeds, negative_embeds] = engine.encode_prompts(options);
    return std::pair(std::make_shared<Embeds>(std::move(embeds)),
                     std::make_shared<Embeds>(std::move(negative_embeds)));
  });
}

py::object denoise(PyEngine& self, const SharedEmbeds& embeds, const SharedEmbeds& negative_embeds,
                   std::int32_t width, std::int32_t height, const Seeds& seeds,
                   const std::string& sampler, std::int32_t num_inference_steps,
                   double guidance_scale, const py::object& noise, const py::object& progress,
                   const py::object& message) {
  const Shape shape = latent_shape(*self.get(), seeds.size(), width, height);
  DenoiseOptions options =
      denoise_options(width, height, seeds, sampler, num_inference_steps, guidance_scale);
  if (!noise.is_none()) options.noise = read_array<float>(noise, "noise", shape).data;
  const Embeds none;
  const Embeds& negative = negative_embeds ? *negative_embeds : none;
  std::vector<float> latents = self.run(progress, message, [&](Engine& engine) {
    return engine.denoise(*embeds, negative, options);
  });
  return to_python(std::move(latents), shape);
}

py::object decode(PyEngine& self, const py::object& latents, std::int32_t width,
                  std::int32_t height, const py::object& progress, const py::object& message) {
  Shape expected = latent_shape(*self.get(), 1, width, height);
  expected[0] = -1;
  const Buffer<float> input = read_array<float>(latents, "latents", expected);
  std::vector<std::uint8_t> pictures = self.run(progress, message, [&](Engine& engine) {
    return engine.decode(input.data, static_cast<std::int32_t>(input.shape[0]), width, height);
  });
  return to_python(std::move(pictures), Shape{input.shape[0], height, width, 3});
}

py::object encode(PyEngine& self, const py::object& pictures, const py::object& progress,
                  const py::object& message) {
  const Buffer<std::uint8_t> input =
      read_array<std::uint8_t>(pictures, "pictures", {-1, -1, -1, 3});
  const auto batch_size = static_cast<std::int32_t>(input.shape[0]);
  const auto height = static_cast<std::int32_t>(input.shape[1]);
  const auto width = static_cast<std::int32_t>(input.shape[2]);
  const Shape shape = latent_shape(*self.get(), input.shape[0], width, height);
  std::vector<float> latents = self.run(progress, message, [&](Engine& engine) {
    return engine.encode(input.data, batch_size, width, height);
  });
  return to_python(std::move(latents), shape);
}

py::object text_to_image(PyEngine& self, const Texts& prompts,
                         const std::optional<Texts>& negative_prompts, const Seeds& seeds,
                         std::int32_t width, std::int32_t height,
                         std::int32_t prior_num_inference_steps, double prior_guidance_scale,
                         const std::string& sampler, std::int32_t num_inference_steps,
                         double guidance_scale, const py::object& progress,
                         const py::object& message) {
  const PromptOptions prompt = prompt_options(prompts, negative_prompts, seeds,
                                              prior_num_inference_steps, prior_guidance_scale);
  const DenoiseOptions options =
      denoise_options(width, height, seeds, sampler, num_inference_steps, guidance_scale);
  std::vector<std::uint8_t> pictures = self.run(
      progress, message, [&](Engine& engine) { return engine.text_to_image(prompt, options); });
  return to_python(std::move(pictures),
                   Shape{static_cast<py::ssize_t>(seeds.size()), height, width, 3});
}

}  // namespace

void register_engine(py::module_& module) {
  py::class_<PyEngine>(module, "Engine", py::module_local())
      .def(py::init<const std::string&, const std::string&, const std::string&,
                    const std::string&>(),
           "model_dir"_a, "prior_dir"_a, "device"_a, "precision"_a)
      .def("close", &PyEngine::close)
      .def("cancel", &PyEngine::cancel)
      .def("unload",
           [](const PyEngine& self) {
             const std::shared_ptr<Engine> engine = self.get();
             const py::gil_scoped_release release;
             engine->unload();
           })
      .def("info", &info)
      .def(
          "latent_size",
          [](const PyEngine& self, std::int32_t width, std::int32_t height) {
            return self.get()->latent_size(width, height);
          },
          "width"_a, "height"_a)
      .def("encode_prompts", &encode_prompts, "prompts"_a, "negative_prompts"_a, "seeds"_a,
           "prior_num_inference_steps"_a, "prior_guidance_scale"_a, "progress"_a, "message"_a)
      .def("denoise", &denoise, py::arg("embeds").none(false), "negative_embeds"_a, "width"_a,
           "height"_a, "seeds"_a, "sampler"_a, "num_inference_steps"_a, "guidance_scale"_a,
           "noise"_a, "progress"_a, "message"_a)
      .def("decode", &decode, "latents"_a, "width"_a, "height"_a, "progress"_a, "message"_a)
      .def("encode", &encode, "pictures"_a, "progress"_a, "message"_a)
      .def("text_to_image", &text_to_image, "prompts"_a, "negative_prompts"_a, "seeds"_a, "width"_a,
           "height"_a, "prior_num_inference_steps"_a, "prior_guidance_scale"_a, "sampler"_a,
           "num_inference_steps"_a, "guidance_scale"_a, "progress"_a, "message"_a);
}

}  // namespace kandinsky::bindings
