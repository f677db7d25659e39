#include "pipelines/denoise/prepare_latents.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/linspace.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "options/requests.h"
#include "options/types.h"
#include "samplers/sampler.h"

namespace kandinsky::pipelines {
namespace {

/// The table with which the reference noises an image. It is not the one that the network was
/// trained with, so the start is noisier than the sampler expects.
constexpr double kReferenceBetaStart = 0.0001;
constexpr double kReferenceBetaEnd = 0.02;
constexpr double kReferenceTimesteps = 1000;
constexpr int kReferenceOffset = 2;

int64_t reference_timestep(const DenoiseRequest& request) {
  return static_cast<int64_t>(kReferenceTimesteps * request.strength) - kReferenceOffset;
}

/// Source: diffusers, KandinskyImg2ImgPipeline.add_noise.
at::Tensor add_reference_noise(const at::Tensor& latents, const at::Tensor& noise,
                               int64_t timestep) {
  // In fp32, as the reference.
  const at::Tensor betas = at::linspace(kReferenceBetaStart, kReferenceBetaEnd,
                                        static_cast<int64_t>(kReferenceTimesteps), at::kFloat);
  const auto alpha_prod = (1.0 - betas).cumprod(0)[timestep].item<float>();
  return std::sqrt(alpha_prod) * latents + std::sqrt(1.0F - alpha_prod) * noise;
}

}  // namespace

samplers::SamplerStart prepare_latents(const DenoiseRequest& request, const at::Tensor& noise,
                                       bool has_own_init_noise) {
  if (!request.init_latents.defined()) return {};
  samplers::SamplerStart start;
  start.skipped_steps = request.num_inference_steps - request.num_running_steps();
  if (request.init_noise == InitNoise::kReference && has_own_init_noise) {
    start.noised_latents =
        add_reference_noise(request.init_latents, noise, reference_timestep(request));
  } else if (request.strength < 1.0 || request.init_noise == InitNoise::kReference) {
    start.init_latents = request.init_latents;
  }
  return start;
}

void check_init_noise(const DenoiseRequest& request) {
  if (request.init_noise == InitNoise::kMatched) return;
  const samplers::Sampler& sampler = samplers::find_sampler(request.sampler);
  if (!sampler.takes_reference_noise) {
    std::string able;
    for (const samplers::Sampler& other : samplers::samplers()) {
      if (other.takes_reference_noise) able += (able.empty() ? "" : ", ") + std::string(other.name);
    }
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("init_noise \"reference\" works only with these samplers: {}; not with "
                            "{}",
                            able, sampler.name));
  }
  // A strength without any step returns the image, with any noise.
  const bool runs = static_cast<int>(request.num_inference_steps * request.strength) > 0;
  if (runs && reference_timestep(request) < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("strength is {}; init_noise \"reference\" needs {} or more",
                            request.strength, kReferenceOffset / kReferenceTimesteps));
  }
}

}  // namespace kandinsky::pipelines
