#include "options.h"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "pictures.h"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

kandinsky_condition make_condition(std::int32_t row, std::int32_t picture, std::int32_t first_step,
                                   std::int32_t last_step, double weight) {
  return {row, picture, first_step, last_step, weight};
}

std::vector<float> read_latents(const py::object& array, const char* name, const Shape& shape) {
  if (array.is_none()) return {};
  return read_array<float>(array, name, {shape}).data;
}

}  // namespace

Shape latent_shape(const Engine& engine, std::size_t batch_size, std::int32_t width,
                   std::int32_t height) {
  const auto [latent_width, latent_height] = engine.latent_size(width, height);
  return {static_cast<py::ssize_t>(batch_size), engine.info().latent_channels, latent_height,
          latent_width};
}

DenoiseOptions complete(const PyDenoiseOptions& options, const Engine& engine) {
  const Shape shape = latent_shape(engine, options.seeds.size(), options.width, options.height);
  DenoiseOptions full = options;
  full.noise = read_latents(options.noise_array, "noise", shape);
  full.init_latents = read_latents(options.init_latents_array, "init_latents", shape);
  full.mask = read_latents(options.mask_array, "mask", {shape[0], 1, shape[2], shape[3]});
  return full;
}

void register_options(py::module_& module) {
  py::class_<kandinsky_condition>(module, "Condition", py::module_local())
      .def(py::init(&make_condition), "row"_a, "picture"_a, "first_step"_a, "last_step"_a,
           "weight"_a);

  py::class_<EngineOptions>(module, "EngineOptions", py::module_local())
      .def(py::init<>())
      .def_readwrite("model_dir", &EngineOptions::model_dir)
      .def_readwrite("prior_dir", &EngineOptions::prior_dir)
      .def_readwrite("inpaint_dir", &EngineOptions::inpaint_dir)
      .def_readwrite("device", &EngineOptions::device)
      .def_readwrite("precision", &EngineOptions::precision)
      .def_readwrite("max_memory", &EngineOptions::max_memory)
      .def_readwrite("without", &EngineOptions::without)
      .def_readwrite("prior_device", &EngineOptions::prior_device)
      .def_readwrite("int8_weights", &EngineOptions::int8_weights);

  py::class_<PromptOptions>(module, "PromptOptions", py::module_local())
      .def(py::init<>())
      .def_readwrite("prompts", &PromptOptions::prompts)
      .def_readwrite("negative_prompts", &PromptOptions::negative_prompts)
      .def_readwrite("negative_prior_prompts", &PromptOptions::negative_prior_prompts)
      .def_readwrite("seeds", &PromptOptions::seeds)
      .def_readwrite("prior_num_inference_steps", &PromptOptions::prior_num_inference_steps)
      .def_readwrite("prior_guidance_scale", &PromptOptions::prior_guidance_scale)
      .def_readwrite("negative_image", &PromptOptions::negative_image)
      .def_readwrite("parse_weights", &PromptOptions::parse_weights)
      .def_readwrite("long_prompts", &PromptOptions::long_prompts);

  py::class_<PyDenoiseOptions>(module, "DenoiseOptions", py::module_local())
      .def(py::init<>())
      .def_readwrite("width", &PyDenoiseOptions::width)
      .def_readwrite("height", &PyDenoiseOptions::height)
      .def_readwrite("seeds", &PyDenoiseOptions::seeds)
      .def_readwrite("sampler", &PyDenoiseOptions::sampler)
      .def_readwrite("scheduler", &PyDenoiseOptions::scheduler)
      .def_readwrite("num_inference_steps", &PyDenoiseOptions::num_inference_steps)
      .def_readwrite("guidance_scale", &PyDenoiseOptions::guidance_scale)
      .def_readwrite("guidance_rescale", &PyDenoiseOptions::guidance_rescale)
      .def_readwrite("guidance_start", &PyDenoiseOptions::guidance_start)
      .def_readwrite("guidance_end", &PyDenoiseOptions::guidance_end)
      .def_readwrite("tiling", &PyDenoiseOptions::tiling)
      .def_readwrite("noise", &PyDenoiseOptions::noise_array)
      .def_readwrite("variation_seeds", &PyDenoiseOptions::variation_seeds)
      .def_readwrite("variation_strength", &PyDenoiseOptions::variation_strength)
      .def_readwrite("seed_resize_width", &PyDenoiseOptions::seed_resize_width)
      .def_readwrite("seed_resize_height", &PyDenoiseOptions::seed_resize_height)
      .def_readwrite("init_latents", &PyDenoiseOptions::init_latents_array)
      .def_readwrite("strength", &PyDenoiseOptions::strength)
      .def_readwrite("init_noise", &PyDenoiseOptions::init_noise)
      .def_readwrite("mask", &PyDenoiseOptions::mask_array)
      .def_readwrite("mask_method", &PyDenoiseOptions::mask_method)
      .def_readwrite("conditions", &PyDenoiseOptions::conditions)
      .def_readwrite("negative_conditions", &PyDenoiseOptions::negative_conditions)
      .def_readwrite("cache_interval", &PyDenoiseOptions::cache_interval);

  // Pictures are copied in, so there is nothing to read back.
  const auto set_pictures = [](SourceOptions& options, const py::list& arrays) {
    options.pictures = read_pictures(arrays, "pictures");
  };
  const auto set_masks = [](SourceOptions& options, const py::list& arrays) {
    options.masks = read_pictures(arrays, "masks");
  };
  py::class_<SourceOptions>(module, "SourceOptions", py::module_local())
      .def(py::init<>())
      .def_property("pictures", nullptr, set_pictures)
      .def_property("masks", nullptr, set_masks)
      .def_readwrite("resize", &SourceOptions::resize)
      .def_readwrite("mask_blur", &SourceOptions::mask_blur)
      .def_readwrite("invert_mask", &SourceOptions::invert_mask)
      .def_readwrite("mask_fill", &SourceOptions::mask_fill)
      .def_readwrite("erode_mask", &SourceOptions::erode_mask)
      .def_readwrite("composite", &SourceOptions::composite);
}

}  // namespace kandinsky::bindings
