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
  explicit PyEngine(const Options& options) {
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
    // After close(), the engine is freed before the GIL is there to end this entry.
    const RunningJob running([job_engine = std::weak_ptr(engine)] {
      if (const std::shared_ptr<Engine> alive = job_engine.lock()) alive->cancel();
    });
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
                  "inpaint_dir"_a = to_path(info.inpaint_dir), "changes"_a = to_text(info.changes),
                  "takes_hints"_a = info.takes_hints != 0, "own_sampler"_a = info.own_sampler);
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

/// Without the negative embeds: none in their place.
std::pair<SharedEmbeds, SharedEmbeds> encode_prompts(PyEngine& self, const Options& options,
                                                     bool with_negative, const py::object& progress,
                                                     const py::object& message) {
  return self.run(progress, message, [&](Engine& engine) {
    auto [embeds, negative_embeds] = engine.encode_prompts(options, with_negative);
    return std::pair(
        std::make_shared<Embeds>(std::move(embeds)),
        with_negative ? std::make_shared<Embeds>(std::move(negative_embeds)) : nullptr);
  });
}

SharedEmbeds encode_images(PyEngine& self, const py::list& images, const py::object& progress,
                           const py::object& message) {
  const std::vector<Image> input = read_images(images, "images");
  return self.run(progress, message, [&](Engine& engine) {
    return std::make_shared<Embeds>(engine.encode_images(input));
  });
}

/// A result of that shape, which job(engine, data, size) fills.
template <typename Number, typename Job>
py::object result_of(PyEngine& self, const Shape& shape, const py::object& progress,
                     const py::object& message, const Job& job) {
  std::size_t size = 1;
  for (const py::ssize_t side : shape) size *= static_cast<std::size_t>(side);
  std::shared_ptr<Number[]> result = self.run(progress, message, [&](Engine& engine) {
    // Without values: they would use the memory before the engine can refuse the job for its size.
    std::shared_ptr<Number[]> numbers = std::make_unique_for_overwrite<Number[]>(size);
    job(engine, numbers.get(), size);
    return numbers;
  });
  return to_python(std::move(result), shape);
}

/// [batch, channels, latent height, latent width]. Throws StatusError for impossible sizes.
Shape latents_shape(const PyEngine& self, py::ssize_t batch_size, std::int32_t width,
                    std::int32_t height) {
  const std::shared_ptr<Engine> engine = self.get();
  const auto [latent_width, latent_height] = engine->latent_size(width, height);
  return {batch_size, engine->info().latent_channels, latent_height, latent_width};
}

/// [batch, height, width, 3]. Throws StatusError for impossible sizes.
Shape images_shape(const PyEngine& self, py::ssize_t batch_size, std::int32_t width,
                   std::int32_t height) {
  self.get()->latent_size(width, height);
  return {batch_size, height, width, 3};
}

py::object denoise(PyEngine& self, const SharedEmbeds& embeds, const SharedEmbeds& negative_embeds,
                   const Options& options, py::ssize_t batch_size, std::int32_t width,
                   std::int32_t height, const py::object& progress, const py::object& message) {
  return result_of<float>(self, latents_shape(self, batch_size, width, height), progress, message,
                          [&](Engine& engine, float* latents, std::size_t size) {
                            engine.denoise(*embeds, embeds_or_none(negative_embeds), options,
                                           latents, size);
                          });
}

py::object decode(PyEngine& self, const Options& options, const py::object& latents,
                  std::int32_t width, std::int32_t height, const py::object& progress,
                  const py::object& message) {
  const Buffer<float> input =
      read_array<float>(latents, "latents", {latents_shape(self, -1, width, height)});
  return result_of<std::uint8_t>(
      self, images_shape(self, input.shape[0], width, height), progress, message,
      [&](Engine& engine, std::uint8_t* images, std::size_t size) {
        engine.decode(options, input.data.data(), input.data.size(), images, size);
      });
}

py::object encode(PyEngine& self, Options& options, const py::object& images,
                  const py::object& progress, const py::object& message) {
  const Buffer<std::uint8_t> input = read_array<std::uint8_t>(images, "images", {{-1, -1, -1, 3}});
  options.set("width", input.shape[2]).set("height", input.shape[1]);
  const Shape shape = latents_shape(self, input.shape[0], static_cast<std::int32_t>(input.shape[2]),
                                    static_cast<std::int32_t>(input.shape[1]));
  return result_of<float>(
      self, shape, progress, message, [&](Engine& engine, float* latents, std::size_t size) {
        engine.encode(options, input.data.data(), input.data.size(), latents, size);
      });
}

py::object text_to_image(PyEngine& self, const Options& options, py::ssize_t batch_size,
                         std::int32_t width, std::int32_t height, const py::object& progress,
                         const py::object& message) {
  return result_of<std::uint8_t>(self, images_shape(self, batch_size, width, height), progress,
                                 message,
                                 [&](Engine& engine, std::uint8_t* images, std::size_t size) {
                                   engine.text_to_image(options, images, size);
                                 });
}

py::object image_to_image(PyEngine& self, const Options& options, py::ssize_t batch_size,
                          std::int32_t width, std::int32_t height, const py::object& progress,
                          const py::object& message) {
  return result_of<std::uint8_t>(self, images_shape(self, batch_size, width, height), progress,
                                 message,
                                 [&](Engine& engine, std::uint8_t* images, std::size_t size) {
                                   engine.image_to_image(options, images, size);
                                 });
}

py::object generate(PyEngine& self, const SharedEmbeds& embeds, const SharedEmbeds& negative_embeds,
                    const Options& options, py::ssize_t batch_size, std::int32_t width,
                    std::int32_t height, const py::object& progress, const py::object& message) {
  return result_of<std::uint8_t>(
      self, images_shape(self, batch_size, width, height), progress, message,
      [&](Engine& engine, std::uint8_t* images, std::size_t size) {
        engine.generate(*embeds, embeds_or_none(negative_embeds), options, images, size);
      });
}

}  // namespace

void register_engine(py::module_& module) {
  py::class_<PyEngine>(module, "Engine", py::module_local())
      .def(py::init<const Options&>(), "options"_a)
      .def("close", &PyEngine::close)
      .def("cancel", &PyEngine::cancel)
      .def(
          "set_loras",
          [](const PyEngine& self, const std::vector<py::bytes>& loras) {
            const std::shared_ptr<Engine> engine = self.get();
            const std::vector<std::string> names(loras.begin(), loras.end());
            const GilRelease release;
            engine->set_loras(names);
          },
          "loras"_a)
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
      .def("encode_prompts", &encode_prompts, "options"_a, "with_negative"_a, "progress"_a,
           "message"_a)
      .def("encode_images", &encode_images, "images"_a, "progress"_a, "message"_a)
      .def("denoise", &denoise, py::arg("embeds").none(false), "negative_embeds"_a, "options"_a,
           "batch_size"_a, "width"_a, "height"_a, "progress"_a, "message"_a)
      .def("decode", &decode, "options"_a, "latents"_a, "width"_a, "height"_a, "progress"_a,
           "message"_a)
      .def("encode", &encode, "options"_a, "images"_a, "progress"_a, "message"_a)
      .def("text_to_image", &text_to_image, "options"_a, "batch_size"_a, "width"_a, "height"_a,
           "progress"_a, "message"_a)
      .def("image_to_image", &image_to_image, "options"_a, "batch_size"_a, "width"_a, "height"_a,
           "progress"_a, "message"_a)
      .def("generate", &generate, py::arg("embeds").none(false), "negative_embeds"_a, "options"_a,
           "batch_size"_a, "width"_a, "height"_a, "progress"_a, "message"_a);
}

}  // namespace kandinsky::bindings
