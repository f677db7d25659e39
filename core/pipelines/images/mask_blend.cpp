#include "pipelines/images/mask_blend.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>

#include <cmath>

namespace kandinsky::pipelines {

at::Tensor hard_mask(const at::Tensor& mask) { return (mask >= 0.5).to(mask.scalar_type()); }

at::Tensor inpaint_channels(const at::Tensor& init_latents, const at::Tensor& mask) {
  const at::Tensor kept = 1 - mask;
  return at::cat({init_latents * kept, kept}, 1);
}

at::Tensor blend_noise_pred(const at::Tensor& noise_pred, const at::Tensor& latents,
                            const at::Tensor& init_latents, const at::Tensor& mask,
                            double alpha_cumprod) {
  const at::Tensor noise_of_init =
      (latents - std::sqrt(alpha_cumprod) * init_latents) / std::sqrt(1.0 - alpha_cumprod);
  return mask * noise_pred + (1 - mask) * noise_of_init;
}

at::Tensor blend_latents(const at::Tensor& latents, const at::Tensor& init_latents,
                         const at::Tensor& mask) {
  return at::where(mask == 0, init_latents, mask * latents + (1 - mask) * init_latents);
}

at::Tensor keep_unmasked_images(const at::Tensor& latents, const at::Tensor& init_latents,
                                const at::Tensor& mask) {
  const at::Tensor is_inpainted = (mask != 0).flatten(1).any(1).view({-1, 1, 1, 1});
  return at::where(is_inpainted, latents, init_latents);
}

}  // namespace kandinsky::pipelines
