#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/unet/unet.h"
#include "options/requests.h"
#include "pipelines/denoise/unet_rules.h"
#include "pipelines/embeds.h"
#include "pipelines/geometry.h"
#include "pipelines/monitor.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::pipelines {

/// Whether a UNet has input channels for a masked image and its mask.
bool is_inpainting_unet(const nn::UNetConfig& config, int64_t latent_channels);

/// Runs the request's sampler around the UNet, with guidance and the request's other options.
/// An inpainting UNet gets the mask unless the request's method is kBlend; in all other cases
/// the start latents are restored outside the mask. negative_embeds may be null when no step is
/// guided. Each image draws from a fresh generator of its seed. Returns latents [B, C, h, w], fp32
/// on the CPU. Source: diffusers, KandinskyPipeline, KandinskyImg2ImgPipeline,
/// KandinskyInpaintPipeline, and those of 2.2, with KandinskyV22ControlnetPipeline.
at::Tensor run_unet(const nn::UNet& unet, const UNetRules& rules,
                    const samplers::NoiseSchedule& schedule, const Geometry& geometry,
                    const Embeds& embeds, const Embeds* negative_embeds,
                    const DenoiseRequest& request, const Monitor& monitor);

}  // namespace kandinsky::pipelines
