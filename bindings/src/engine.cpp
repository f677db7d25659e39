#include <pybind11/stl.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "buffers.h"
#include "embeds.h"
#include "interpreter.h"
#include "kandinsky.hpp"
#include "options.h"
#include "pictures.h"
#include "register.h"
#include "text.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

/// The engine for one Python object. Members are touched with the GIL held, except `engine` during
/// a job.
///
/// Python callbacks are passed to each call and kept for its time only: a reference that outlived
/// it would be one that Python's garbage collector cannot see, and a callback mostly refers to its
/// engine.
class PyEngine {
 public:
  explicit PyEngine(const EngineOptions& options) {
    const GilRelease release;
    engine_ = std::make_shared<Engine>(options);
    engine_->set_progress(
        [this](const kandinsky_progress& progress) { return on_progress(progress); });
    engine_->set_message([this](const char* message) { on_message(message); });
  }
  ~PyEngine() {
    const GilRelease release(std::nothrow);
    engine_.reset();
  }
  PyEngine(const PyEngine&) = delete;
  PyEngine& operator=(const PyEngine&) = delete;

  /// A job that runs is cancelled and frees the engine when it ends.
  void close() {
    std::shared_ptr<Engine> engine = std::move(engine_);
    if (!engine) return;
    engine->cancel();
    const GilRelease release(std::nothrow);
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
    if (progress_ != nullptr) {
      // Of a job that ran when this process was forked, nobody will see the end: the library says
      // so.
      if (::getpid() != process_) engine->unload();
      throw StatusError(KANDINSKY_BUSY, "the engine is running another job");
    }
    const RunningJob running(*engine);
    progress_ = &progress;
    message_ = &message;
    const std::unique_ptr<PyEngine, EndOfJob> end(this);
    const GilRelease release;
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
    if (is_ending()) return KANDINSKY_CANCEL;
    const GilAcquire acquire;
    // Ctrl-C in the main thread becomes KeyboardInterrupt here.
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    py::object latents = py::none();
    if (progress.latents != nullptr) {
      const Shape shape(progress.shape, progress.shape + 4);
      std::size_t count = 1;
      for (const py::ssize_t side : shape) count *= static_cast<std::size_t>(side);
      latents = to_python(std::vector<float>(progress.latents, progress.latents + count), shape);
    }
    const py::object action =
        call(*progress_, py::make_tuple(progress.stage, progress.step, progress.steps, latents));
    return static_cast<kandinsky_action>(action.cast<int>());
  }

  void on_message(const char* message) {
    if (is_ending()) return;
    const GilAcquire acquire;
    call(*message_, py::make_tuple(to_text(message)));
  }

  const ::pid_t process_ = ::getpid();
  std::shared_ptr<Engine> engine_;
  const py::object* progress_ = nullptr;  ///< of the job that runs, as is `message_`
  const py::object* message_ = nullptr;
};

py::dict info(const PyEngine& self) {
  const std::shared_ptr<Engine> engine = self.get();
  const kandinsky_engine_info info = engine->info();
  return py::dict("family"_a = info.family, "device"_a = info.device,
                  "precision"_a = info.precision, "reason"_a = info.reason,
                  "prior_dir"_a = to_path(info.prior_dir), "native_size"_a = info.native_size,
                  "latent_channels"_a = info.latent_channels,
                  "latent_factor"_a = info.latent_factor, "size_multiple"_a = info.size_multiple,
                  "inpaint_dir"_a = to_path(info.inpaint_dir));
}

py::dict plan_memory(const PyEngine& self, std::int32_t width, std::int32_t height,
                     std::int32_t batch_size) {
  const std::shared_ptr<Engine> engine = self.get();
  const kandinsky_memory_plan plan = engine->plan_memory(width, height, batch_size);
  return py::dict("budget"_a = plan.budget, "peak"_a = plan.peak, "least"_a = plan.least,
                  "holds_everything"_a = plan.holds_everything != 0, "text"_a = to_text(plan.text));
}

/// Without an object: none.
const Embeds& embeds_or_none(const SharedEmbeds& embeds) {
  static const Embeds kNone;
  return embeds ? *embeds : kNone;
}

py::object to_pictures(std::vector<std::uint8_t> pictures, const DenoiseOptions& options) {
  return to_python(std::move(pictures), Shape{static_cast<py::ssize_t>(options.seeds.size()),
                                              options.height, options.width, 3});
}

std::pair<SharedEmbeds, SharedEmbeds> encode_prompts(PyEngine& self, const PromptOptions& options,
                                                     const py::object& progress,
                                                     const py::object& message) {
  return self.run(progress, message, [&](Engine& engine) {
    auto [embeds, negative_embeds] = engine.encode_prompts(options);
    return std::pair(std::make_shared<Embeds>(std::move(embeds)),
                     std::make_shared<Embeds>(std::move(negative_embeds)));
  });
}

SharedEmbeds encode_images(PyEngine& self, const py::list& pictures, const py::object& progress,
                           const py::object& message) {
  const std::vector<Picture> input = read_pictures(pictures, "pictures");
  return self.run(progress, message, [&](Engine& engine) {
    return std::make_shared<Embeds>(engine.encode_images(input));
  });
}

py::object denoise(PyEngine& self, const SharedEmbeds& embeds, const SharedEmbeds& negative_embeds,
                   const PyDenoiseOptions& from, const py::object& progress,
                   const py::object& message) {
  const std::shared_ptr<Engine> open = self.get();
  const DenoiseOptions options = complete(from, *open);
  const Shape shape = latent_shape(*open, options.seeds.size(), options.width, options.height);
  std::vector<float> latents = self.run(progress, message, [&](Engine& engine) {
    return engine.denoise(*embeds, embeds_or_none(negative_embeds), options);
  });
  return to_python(std::move(latents), shape);
}

py::object decode(PyEngine& self, const py::object& latents, std::int32_t width,
                  std::int32_t height, bool tiling, const py::object& progress,
                  const py::object& message) {
  Shape expected = latent_shape(*self.get(), 1, width, height);
  expected[0] = -1;
  const Buffer<float> input = read_array<float>(latents, "latents", {expected});
  std::vector<std::uint8_t> pictures = self.run(progress, message, [&](Engine& engine) {
    return engine.decode(input.data, static_cast<std::int32_t>(input.shape[0]), width, height,
                         tiling);
  });
  return to_python(std::move(pictures), Shape{input.shape[0], height, width, 3});
}

py::object encode(PyEngine& self, const py::object& pictures, bool tiling,
                  const py::object& progress, const py::object& message) {
  const Buffer<std::uint8_t> input =
      read_array<std::uint8_t>(pictures, "pictures", {{-1, -1, -1, 3}});
  const auto batch_size = static_cast<std::int32_t>(input.shape[0]);
  const auto height = static_cast<std::int32_t>(input.shape[1]);
  const auto width = static_cast<std::int32_t>(input.shape[2]);
  const Shape shape = latent_shape(*self.get(), input.shape[0], width, height);
  std::vector<float> latents = self.run(progress, message, [&](Engine& engine) {
    return engine.encode(input.data, batch_size, width, height, tiling);
  });
  return to_python(std::move(latents), shape);
}

py::object text_to_image(PyEngine& self, const PromptOptions& prompts, const PyDenoiseOptions& from,
                         const py::object& progress, const py::object& message) {
  const DenoiseOptions options = complete(from, *self.get());
  return to_pictures(
      self.run(progress, message,
               [&](Engine& engine) { return engine.text_to_image(prompts, options); }),
      options);
}

py::object image_to_image(PyEngine& self, const PromptOptions& prompts,
                          const PyDenoiseOptions& from, const SourceOptions& source,
                          const py::object& progress, const py::object& message) {
  const DenoiseOptions options = complete(from, *self.get());
  return to_pictures(
      self.run(progress, message,
               [&](Engine& engine) { return engine.image_to_image(prompts, options, source); }),
      options);
}

py::object paint(PyEngine& self, const SharedEmbeds& embeds, const SharedEmbeds& negative_embeds,
                 const PyDenoiseOptions& from, const SourceOptions* source,
                 const py::object& progress, const py::object& message) {
  const DenoiseOptions options = complete(from, *self.get());
  return to_pictures(self.run(progress, message,
                              [&](Engine& engine) {
                                return engine.paint(*embeds, embeds_or_none(negative_embeds),
                                                    options, source);
                              }),
                     options);
}

}  // namespace

void register_engine(py::module_& module) {
  py::class_<PyEngine>(module, "Engine", py::module_local())
      .def(py::init<const EngineOptions&>(), "options"_a)
      .def("close", &PyEngine::close)
      .def("cancel", &PyEngine::cancel)
      .def("unload",
           [](const PyEngine& self) {
             const std::shared_ptr<Engine> engine = self.get();
             const GilRelease release;
             engine->unload();
           })
      .def("info", &info)
      .def("plan_memory", &plan_memory, "width"_a, "height"_a, "batch_size"_a)
      .def(
          "latent_size",
          [](const PyEngine& self, std::int32_t width, std::int32_t height) {
            return self.get()->latent_size(width, height);
          },
          "width"_a, "height"_a)
      .def("encode_prompts", &encode_prompts, "options"_a, "progress"_a, "message"_a)
      .def("encode_images", &encode_images, "pictures"_a, "progress"_a, "message"_a)
      .def("denoise", &denoise, py::arg("embeds").none(false), "negative_embeds"_a, "options"_a,
           "progress"_a, "message"_a)
      .def("decode", &decode, "latents"_a, "width"_a, "height"_a, "tiling"_a, "progress"_a,
           "message"_a)
      .def("encode", &encode, "pictures"_a, "tiling"_a, "progress"_a, "message"_a)
      .def("text_to_image", &text_to_image, "prompts"_a, "options"_a, "progress"_a, "message"_a)
      .def("image_to_image", &image_to_image, "prompts"_a, "options"_a, "source"_a, "progress"_a,
           "message"_a)
      .def("paint", &paint, py::arg("embeds").none(false), "negative_embeds"_a, "options"_a,
           "source"_a, "progress"_a, "message"_a);
}

}  // namespace kandinsky::bindings
