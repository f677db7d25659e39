#pragma once

#include <ATen/core/Tensor.h>

#include "nn/unet/unet.h"
#include "pipelines/embeds.h"
#include "pipelines/monitor.h"
#include "pipelines/request.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::pipelines {

/// Runs the request's sampler around the UNet with classifier-free guidance. negative_embeds may be
/// null when guidance is off. Each picture draws from a fresh generator of its seed. Returns
/// latents [B, C, latent_height, latent_width], fp32 on the CPU. Source: diffusers,
/// KandinskyPipeline.__call__.
at::Tensor run_unet(const nn::UNet& unet, const samplers::NoiseSchedule& schedule,
                    int64_t latent_channels, int64_t latent_height, int64_t latent_width,
                    const Embeds& embeds, const Embeds* negative_embeds,
                    const DenoiseRequest& request, const Monitor& monitor);

}  // namespace kandinsky::pipelines
