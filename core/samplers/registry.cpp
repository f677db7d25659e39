#include <array>

#include "samplers/algorithms.h"
#include "samplers/lookup.h"
#include "samplers/sampler.h"
#include "samplers/schedulers.h"

namespace kandinsky::samplers {
namespace {

// Own levels are the host's, which are k-diffusion's for the samplers that it has.
constexpr std::array kSamplers{
    Sampler{.name = "DDIM",
            .description = "The model's own, without noise on the way",
            .run = sample_ddim,
            .own_levels = ddim_levels},
    Sampler{.name = "DDPM",
            .description = "The model's own with noise on the way; wants 100 steps and more",
            .run = sample_ddpm,
            .own_levels = ddpm_levels,
            .draws_noise = true},
    Sampler{.name = "Euler",
            .description = "The simplest",
            .run = sample_euler,
            .own_levels = uniform_levels},
    Sampler{.name = "Euler a",
            .description = "Euler with noise on the way: another picture for each number of steps",
            .run = sample_euler_ancestral,
            .own_levels = uniform_levels,
            .draws_noise = true},
    Sampler{.name = "Heun",
            .description = "More exact than Euler, twice as slow",
            .run = sample_heun,
            .own_levels = uniform_levels,
            .model_calls = 2},
    Sampler{.name = "LMS",
            .description = "Euler that remembers its last four steps",
            .run = sample_lms,
            .own_levels = uniform_levels},
    Sampler{.name = "DPM2",
            .description = "Looks at the middle of each step, twice as slow",
            .run = sample_dpm_2,
            .own_levels = karras_levels,
            .discards_next_to_last_sigma = true,
            .model_calls = 2},
    Sampler{.name = "DPM2 a",
            .description = "DPM2 with noise on the way",
            .run = sample_dpm_2_ancestral,
            .own_levels = karras_levels,
            .discards_next_to_last_sigma = true,
            .model_calls = 2,
            .draws_noise = true},
    Sampler{.name = "DPM++ 2S a",
            .description = "Exact in few steps, with noise on the way, twice as slow",
            .run = sample_dpmpp_2s_ancestral,
            .own_levels = karras_levels,
            .model_calls = 2,
            .draws_noise = true},
    Sampler{.name = "DPM++ 2M",
            .description = "Exact in few steps",
            .run = sample_dpmpp_2m,
            .own_levels = karras_levels},
    Sampler{.name = "DPM++ SDE",
            .description = "Exact in very few steps, with noise on the way, twice as slow",
            .run = sample_dpmpp_sde,
            .own_levels = karras_levels,
            .model_calls = 2,
            .draws_noise = true},
    Sampler{.name = "DPM++ 2M SDE",
            .description = "DPM++ 2M with noise on the way",
            .run = sample_dpmpp_2m_sde,
            .own_levels = exponential_levels,
            .draws_noise = true},
    Sampler{.name = "DPM++ 3M SDE",
            .description = "Third order with noise on the way, for more steps",
            .run = sample_dpmpp_3m_sde,
            .own_levels = exponential_levels,
            .discards_next_to_last_sigma = true,
            .draws_noise = true},
    Sampler{.name = "UniPC",
            .description = "Corrects each step with the next one's prediction",
            .run = sample_unipc,
            .own_levels = unipc_levels},
};

}  // namespace

Span<const Sampler> samplers() { return kSamplers; }

const Sampler& find_sampler(std::string_view name) { return find_row(samplers(), "sampler", name); }

}  // namespace kandinsky::samplers
