#include "pipelines/families/kandinsky_2/memory.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/unet/unet.h"
#include "options/requests.h"
#include "pipelines/denoise/conditioning_rows.h"
#include "pipelines/embeds.h"
#include "pipelines/job.h"
#include "pipelines/memory/memory_plan.h"
#include "pipelines/text/encode_prompts.h"
#include "pipelines/text/encode_text.h"
#include "pipelines/text/run_prior.h"
#include "tensor/device.h"
#include "text/tokens.h"

namespace kandinsky::pipelines {
namespace {

constexpr int64_t kMegabyte = 1'000'000;

// Measured: the peak of a process (VmHWM) less its weights, with full-size models' random weights
// in bf16, at 512, 768 and 1024 pixels, on an AMD Zen 4 with 2 threads; rounded up. Maps are
// multiples of one map of the outermost level, and scale with the type. "Fixed" does not grow with
// the image.

/// The libraries, the tokenizers' tables, and the C library, in the command line's process. A
/// host's own memory is added.
constexpr int64_t kBase = 200 * kMegabyte;

/// The text encoders, the image encoder and the prior: a few hundred rows, and the tensors that are
/// converted and packed at loading.
constexpr int64_t kRowsWork = 100 * kMegabyte;
/// Rows of the prior included in this: a prompt, its unconditional text, and a negative.
constexpr int64_t kPriorRows = 3;

/// A UNet with WinogradConv2d, from its first step until it is freed, for each byte of an element.
/// A block of the widest layer, its tiles and their products, is a part of it. Half with small
/// tiles.
constexpr int64_t kWinogradScratch = 70 * kMegabyte;

/// The UNet, for a pair of samples and their rows of kTokens.
constexpr int64_t kGuidingRows = 2;
constexpr int64_t kTokens = 10 + text::kDefaultMaxLength;
constexpr int64_t kUNetFixed = 20 * kMegabyte;
constexpr int64_t kUNetMaps = 31;
constexpr int64_t kUNetLowMemoryFixed = 20 * kMegabyte;
constexpr int64_t kUNetLowMemoryMaps = 28;

/// MoVQ's decoder; its encoder takes less. Maps as a whole: without bands of rows.
constexpr int64_t kMovqFixed = 80 * kMegabyte;
constexpr int64_t kMovqLowMemoryFixed = 80 * kMegabyte;
constexpr double kMovqMaps = 3.2;
constexpr int64_t kMovqWholeFixed = 650 * kMegabyte;
constexpr double kMovqWholeMaps = 6.4;

/// Another image at the same time, besides its maps.
constexpr int64_t kAnotherFixed = 50 * kMegabyte;

/// Pixels of the whole batch on their way to the caller: fp32 twice, and bytes.
constexpr int64_t kBytesPerPixel = 3 * (4 + 4 + 2);

int64_t element_size(const tensor::Placement& placement) {
  return static_cast<int64_t>(at::elementSize(placement.dtype));
}

/// Keys and values of one token of a text, in all attention units of the UNet.
int64_t context_elements(const nn::UNetConfig& unet) {
  const auto levels = unet.block_out_channels.size();
  int64_t channels = unet.block_out_channels.back();  // of the middle
  for (size_t i = 0; i < levels; ++i) {
    if (unet.down_attention[i]) channels += unet.layers_per_block * unet.block_out_channels[i];
    if (unet.up_attention[i])
      channels += (unet.layers_per_block + 1) * unet.block_out_channels[levels - 1 - i];
  }
  return 2 * channels;
}

/// The memory of rows of embeds beyond the usual two, in the UNet's form.
int64_t more_rows(const ModelSizes& sizes, const JobOutline& job) {
  const int64_t tokens = sizes.image_tokens + job.text_tokens;
  const int64_t most = ConditioningRows::most_tokens(job.rows, tokens) +
                       ConditioningRows::most_tokens(job.negative_rows, tokens);
  return std::max<int64_t>(most - kGuidingRows * kTokens, 0) * context_elements(sizes.unet) *
         element_size(sizes.unet_placement);
}

/// The rows that guide one image at a time.
int64_t pair_of_rows(const ModelSizes& sizes, const JobOutline& job) {
  return 2 * (sizes.image_tokens + job.text_tokens) * context_elements(sizes.unet) *
         element_size(sizes.unet_placement);
}

void outline_texts(const PromptRequest& prompts, JobOutline* job) {
  job->encodes_texts = prompts.wants_embeds || prompts.wants_negative_embeds;
  job->needs_zero_image = needs_zero_image(prompts);
  job->encodes_images = !prompts.prior_images.empty();
  job->rows = job->negative_rows = static_cast<int64_t>(prompts.prompts.size());
  const TextOptions options{.parse_weights = prompts.parse_weights,
                            .long_prompts = prompts.long_prompts};
  const auto most = [&](const std::vector<std::string>& texts) {
    int64_t chunks = 1;
    for (const std::string& text : texts) chunks = std::max(chunks, most_chunks(text, options));
    return chunks;
  };
  const int64_t negative_chunks = most(prompts.negative_prompts);
  const int64_t prompt_chunks = most(prompts.prompts);
  job->text_tokens = text::kDefaultMaxLength * std::max(prompt_chunks, negative_chunks);
  // The unconditional text is read in chunks, too; the others are one chunk of the prompt, and a
  // negative.
  job->prior_rows =
      2 + (prompts.negative_prior_prompts.empty() ? negative_chunks
                                                  : most(prompts.negative_prior_prompts));
  job->prior_items = job->rows * std::max(prompt_chunks, job->prior_rows - 2);
}

int64_t tokens_of(const Embeds& embeds) {
  const at::Tensor* const states = embeds.find("text_encoder_hidden_states");
  return states != nullptr && states->dim() == 3 ? states->size(1) : 0;
}

}  // namespace

JobOutline outline_of(const Job& job, bool has_inpainting_unet, bool has_decoder_text) {
  JobOutline outline{.encodes_images = job.images != nullptr,
                     .denoises = job.denoise != nullptr,
                     .encodes = job.encodes,
                     .decodes = job.decodes,
                     .width = job.width,
                     .height = job.height,
                     .batch_size = job.batch_size,
                     .rows = job.batch_size,
                     .negative_rows = job.batch_size};
  if (const DenoiseRequest* const request = job.denoise) {
    outline.shows_mask =
        shows_mask(request->mask.defined(), request->mask_method, has_inpainting_unet);
    // With more conditions an image has more calls of the UNet, each of one at least.
    if (request->cache_interval != 1)
      outline.kept_features =
          static_cast<int64_t>(std::max(request->seeds.size(), request->conditions.size()));
  }
  if (job.prompts != nullptr) outline_texts(*job.prompts, &outline);
  if (job.embeds != nullptr) {
    outline.rows = job.embeds->batch_size();
    outline.text_tokens = tokens_of(*job.embeds);
    outline.negative_rows = 0;
    if (job.negative_embeds != nullptr) {
      outline.negative_rows = job.negative_embeds->batch_size();
      outline.text_tokens = std::max(outline.text_tokens, tokens_of(*job.negative_embeds));
    }
  }
  if (!has_decoder_text) outline.text_tokens = 0;
  return outline;
}

WeightLayout clip_text_layout() {
  return {.layers = {"layers"}, .unloaded = {"text_model.embeddings.token_embedding."}};
}

WeightLayout clip_vision_layout() { return {.layers = {"layers"}}; }

WeightLayout multilingual_clip_layout() {
  return {.layers = {"layer"},
          .unloaded = {"transformer.embeddings.word_embeddings.", "transformer.pooler."}};
}

WeightLayout prior_layout() { return {.layers = {"transformer_blocks"}}; }

WeightLayout unet_layout() {
  return {.layers = {"resnets", "attentions", "downsamplers", "upsamplers"},
          .split = {"upsamplers.0.conv1.weight"}};
}

WeightLayout movq_layout() {
  return {.unloaded = {"quantize."}, .split = {"upsamplers.0.conv.weight"}, .keeps_splits = true};
}

MemoryNeeds memory_needs(const std::vector<ComponentMemory>& components,
                         const ModelIndices& indices, const ModelSizes& sizes,
                         const JobOutline& job) {
  MemoryNeeds needs{.components = components, .stages = {}, .base = kBase};
  const int64_t unet_element = element_size(sizes.unet_placement);
  const int64_t scratch =
      components[indices.unet].has_winograd ? kWinogradScratch * unet_element : 0;
  ComponentMemory& unet = needs.components[indices.unet];
  unet.whole += scratch;
  unet.spread += scratch;
  if (unet.small_tiles_spread > 0) unet.small_tiles_spread += scratch / 2;
  const auto small_tiles_work = [&](const std::vector<size_t>& used,
                                    int64_t work) -> std::optional<int64_t> {
    int64_t saved = 0;
    for (const size_t index : used)
      saved += needs.components[index].spread - needs.components[index].small_tiles_spread;
    if (saved == 0) return {};
    return work - saved;
  };
  const auto add = [&](const char* name, const std::vector<size_t>& used, int64_t work,
                       int64_t least_work, int64_t most_at_once = 1, int64_t another_work = 0) {
    needs.stages.push_back({.name = name,
                            .components = used,
                            .work = work,
                            .least_work = std::min(work, least_work),
                            .small_tiles_work = small_tiles_work(used, work),
                            .most_at_once = most_at_once,
                            .another_work = another_work});
  };
  // A network in low-memory mode is loaded without speed-ups that take more memory.
  const auto freed = [&](size_t index) {
    return needs.components[index].spread - needs.components[index].low_memory_spread;
  };
  if (!indices.text_encoders.empty() && (job.encodes_texts || job.encodes_images))
    add("text encoders", indices.text_encoders, kRowsWork, kRowsWork);
  if (job.encodes_texts) {
    const int64_t row = sizes.prior_row_elements * element_size(sizes.prior_placement);
    const int64_t more = std::max<int64_t>(job.prior_rows - kPriorRows, 0) * row;
    const int64_t at_once = sizes.prior_placement.speedups.prior_batches
                                ? std::min<int64_t>(job.prior_items, kMostPriorItems)
                                : 1;
    add("prior", {indices.prior}, kRowsWork + more, kRowsWork + more, at_once,
        job.prior_rows * row);
    needs.stages.back().at_once_shares_reads = true;
  }
  if (indices.image_encoder && (job.encodes_images || job.needs_zero_image))
    add("image encoder", {*indices.image_encoder}, kRowsWork, kRowsWork);

  const bool has_size = job.denoises || job.encodes || job.decodes;
  const auto [height, width] = has_size ? sizes.geometry.latent_size(job.width, job.height)
                                        : std::pair<int64_t, int64_t>(0, 0);
  if (job.denoises) {
    const int64_t map = 2 * sizes.unet.block_out_channels.front() * height * width * unet_element;
    // Kept features enter the outermost level with the width of the next one.
    const auto& widths = sizes.unet.block_out_channels;
    const int64_t kept = job.kept_features * map * widths[widths.size() > 1 ? 1 : 0] / widths[0] +
                         more_rows(sizes, job);
    add("denoising", {indices.unet}, kUNetFixed + kUNetMaps * map + kept,
        kUNetLowMemoryFixed + kUNetLowMemoryMaps * map + kept - freed(indices.unet),
        sizes.images_at_once, kAnotherFixed + scratch + kUNetMaps * map + pair_of_rows(sizes, job));
    // A step takes 1.5 times as long without Winograd; loading all others takes as long as one
    // step.
    needs.stages.back().repeats = true;
  }
  if (job.encodes || job.decodes) {
    const int64_t factor = sizes.geometry.latent_factor;
    const int64_t pixels = height * width * factor * factor;
    const tensor::Placement& placement = sizes.movq_placement;
    const bool has_bands = placement.speedups.row_bands && placement.speedups.fused_norms &&
                           placement.dtype != at::kHalf;
    const int64_t element = element_size(placement);
    const auto maps = static_cast<int64_t>(
        (has_bands ? kMovqMaps : kMovqWholeMaps) *
        static_cast<double>(sizes.movq.block_out_channels.front() * pixels * element));
    const int64_t images = kBytesPerPixel * pixels * job.batch_size;
    const int64_t fixed = has_bands ? kMovqFixed : kMovqWholeFixed;
    add(job.decodes ? "decoding" : "encoding", {indices.movq}, fixed + images + maps,
        kMovqLowMemoryFixed + images + maps - freed(indices.movq), sizes.images_at_once,
        kMovqFixed + maps);
  }
  return needs;
}

}  // namespace kandinsky::pipelines
