#include "pipelines/denoise/check_request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/images/image.h"
#include "options/requests.h"
#include "options/types.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/prepare_latents.h"
#include "samplers/sampler.h"

namespace kandinsky::pipelines {
namespace {

void check_shape(const char* name, const at::Tensor& tensor, const std::vector<int64_t>& expected) {
  if (!tensor.defined() || tensor.sizes() == at::IntArrayRef(expected)) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is [{}], but this size and batch need [{}]", name,
                          fmt::join(tensor.sizes(), ", "), fmt::join(expected, ", ")));
}

void check_forecast(const DenoiseRequest& request) {
  if (!request.forecast) return;
  const samplers::Sampler& sampler = samplers::find_sampler(request.sampler);
  if (sampler.model_calls != 1) {
    std::string able;
    for (const samplers::Sampler& other : samplers::samplers()) {
      if (other.model_calls == 1) able += (able.empty() ? "" : ", ") + std::string(other.name);
    }
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("forecast works with samplers that run the UNet once per step: {}; not "
                            "with {}",
                            able, sampler.name));
  }
  if (request.cache_interval != 1) {
    throw Error(ErrorCode::kInvalidArgument,
                "forecast and cache_interval do not work together; leave one of them out");
  }
}

void check_hints(const DenoiseRequest& request, const ModelLimits& model) {
  const auto refuse = [](const std::string& message) {
    throw Error(ErrorCode::kInvalidArgument, message);
  };
  if (model.takes_hints && request.hints.empty())
    refuse("hints: this model needs a hint, such as a depth map");
  if (!model.takes_hints && !request.hints.empty())
    refuse(
        "hints: this model does not use them; leave them out, or open a model with depth control");
  for (const io::Image& hint : request.hints) {
    const int64_t least = model.geometry.latent_factor;
    if (hint.width >= least && hint.height >= least) continue;
    refuse(fmt::format("hints: {} x {} pixels are too few, expected sides of {} or more",
                       hint.width, hint.height, least));
  }
  if (!request.hints.empty() && request.mask_method == MaskMethod::kModel) {
    refuse(
        "the mask method \"model\" works without hints only: the inpainting model takes none; "
        "\"blend\" inpaints with the model itself");
  }
}

}  // namespace

void check_request(const DenoiseRequest& request, const ModelLimits& model) {
  samplers::find_sampler(request.sampler)
      .check_steps(model.schedule, request.num_inference_steps, request.scheduler, request.sigmas);
  check_conditions(request);
  check_forecast(request);
  if (model.has_own_init_noise) check_init_noise(request);
  check_hints(request, model);
  if (request.mask_method == MaskMethod::kModel && !model.has_inpainting_unet) {
    throw Error(ErrorCode::kInvalidArgument,
                "the mask method \"model\" needs an inpainting model, but there is none beside the "
                "model and none was given");
  }
  const auto [height, width] = model.geometry.latent_size(request.width, request.height);
  const auto batch = static_cast<int64_t>(request.seeds.size());
  const std::vector<int64_t> latents{batch, model.geometry.latent_channels, height, width};
  check_shape("noise", request.noise, latents);
  check_shape("init_latents", request.init_latents, latents);
  check_shape("mask", request.mask, {batch, 1, height, width});
}

}  // namespace kandinsky::pipelines
