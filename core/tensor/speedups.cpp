#include "tensor/speedups.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"

namespace kandinsky::tensor {
namespace {

constexpr std::array kSpeedups{
    SpeedupInfo{"packed-weights", "Weights in the order in which oneDNN reads them (CPU)",
                &Speedups::packed_weights},
    SpeedupInfo{"stored-matrices",
                "Text encoders, image encoder and prior multiply with their matrices as the files "
                "hold them (fp32, CPUs with AVX2)",
                &Speedups::stored_matrices},
    SpeedupInfo{"fused-operations",
                "Activations and residual sums inside convolutions and linear layers (CPU, needs "
                "packed-weights)",
                &Speedups::fused_operations},
    SpeedupInfo{"fused-norms", "Group norm, modulation and SiLU in one pass (CPU)",
                &Speedups::fused_norms},
    SpeedupInfo{"row-bands",
                "Norm and convolution of large maps in bands of rows (CPU, needs fused-norms)",
                &Speedups::row_bands},
    SpeedupInfo{"latent-grid-norms",
                "MoVQ's spatial norms convolve the latents instead of the enlarged map",
                &Speedups::latent_grid_norms},
    SpeedupInfo{
        "winograd",
        "3x3 convolutions with a quarter to a half of their products (CPU, needs packed-weights)",
        &Speedups::winograd},
    SpeedupInfo{"split-upsampling",
                "Doubling and a 3x3 convolution as four 2x2 convolutions of the small map",
                &Speedups::split_upsampling},
    SpeedupInfo{"batched-attention",
                "Attention by matrix products instead of the fused kernel (bf16, CPUs without AMX)",
                &Speedups::batched_attention},
    SpeedupInfo{"tiled-attention",
                "Attention in tiles that stay in the caches (bf16, CPUs with AVX512-BF16 and "
                "without AMX)",
                &Speedups::tiled_attention},
    SpeedupInfo{"skipped-padding",
                "Padding behind a text is left out in the prior, and encoded once by the decoder's "
                "text encoder",
                &Speedups::skipped_padding},
    SpeedupInfo{
        "prior-kv-cache",
        "KV cache of the prompt in the prior: its tokens are computed once, not in every step",
        &Speedups::prior_kv_cache},
    SpeedupInfo{"prior-batches",
                "The prior reads its weights once for several prompts; each prompt's embedding is "
                "the same alone",
                &Speedups::prior_batches},
    SpeedupInfo{"context-kv-cache",
                "KV cache of the context in the UNet: projected once, not in every step",
                &Speedups::context_kv_cache},
    SpeedupInfo{
        "shared-start",
        "Conditional and unconditional pass share the UNet's layers before the conditioning enters",
        &Speedups::shared_start},
    SpeedupInfo{"images-at-once",
                "Images of a batch at once, each on its share of the threads (CPU)",
                &Speedups::images_at_once},
    SpeedupInfo{"prompt-cache",
                "Prompt cache: prompts and images that were encoded lately are not encoded again",
                &Speedups::prompt_cache},
};

}  // namespace

Span<const SpeedupInfo> speedups() { return {kSpeedups.data(), kSpeedups.size()}; }

Speedups speedups_without(const std::vector<std::string>& names) {
  Speedups result;
  for (const std::string& name : names) {
    const auto* const row =
        std::find_if(kSpeedups.begin(), kSpeedups.end(),
                     [&](const SpeedupInfo& speedup) { return speedup.name == name; });
    if (row == kSpeedups.end()) {
      std::string known;
      for (const SpeedupInfo& speedup : kSpeedups)
        known += (known.empty() ? "" : ", ") + std::string(speedup.name);
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("speed-up \"{}\" is not known; known are: {}", name, known));
    }
    result.*(row->flag) = false;
  }
  return result;
}

}  // namespace kandinsky::tensor
