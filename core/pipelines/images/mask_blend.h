/// Inpainting a part of an image. Masks are [B, 1, h, w], 1 where to inpaint and 0 where to keep
/// the start latents [B, C, h, w].
#pragma once

#include <ATen/core/Tensor.h>

namespace kandinsky::pipelines {

/// The binary mask for the inpainting UNet: 1 from 0.5 on.
at::Tensor hard_mask(const at::Tensor& mask);

/// The inpainting UNet's extra channels, [B, C + 1, h, w]: the start latents where
/// they are kept, and the inverted mask, 1 where to keep. mask: binary. Source: diffusers,
/// KandinskyInpaintPipeline.__call__.
at::Tensor inpaint_channels(const at::Tensor& init_latents, const at::Tensor& mask);

/// The prediction that turns `latents` into the start latents where they are kept. alpha_cumprod:
/// of the step. The predicted noise is linear in the predicted clean latents, so this blends both.
at::Tensor blend_noise_pred(const at::Tensor& noise_pred, const at::Tensor& latents,
                            const at::Tensor& init_latents, const at::Tensor& mask,
                            double alpha_cumprod);

/// The start latents where they are kept, bit for bit; elsewhere `latents`.
at::Tensor blend_latents(const at::Tensor& latents, const at::Tensor& init_latents,
                         const at::Tensor& mask);

/// `latents`, with the rows of init_latents for images with an empty mask.
at::Tensor keep_unmasked_images(const at::Tensor& latents, const at::Tensor& init_latents,
                                const at::Tensor& mask);

}  // namespace kandinsky::pipelines
