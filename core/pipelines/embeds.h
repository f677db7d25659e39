#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/span.h"

namespace kandinsky::pipelines {

/// The tensor that every family's embeds have.
inline constexpr std::string_view kImageEmbeds = "image_embeds";

/// What guides a batch of images on one side: named tensors [B, ...], fp32 on the CPU, kept by
/// value. Every family has "image_embeds" [B, E], 2.2 no more; Kandinsky 2.1 adds "prompt_embeds"
/// [B, E] and "text_encoder_hidden_states" [B, T, X], and, where prompts were read in chunks and
/// are not equally long, "text_lengths" [B, 1]: rows of the hidden states that count, the others
/// are 0.
struct Embeds {
  std::vector<std::pair<std::string, at::Tensor>> tensors;

  int64_t batch_size() const { return tensors.empty() ? 0 : tensors.front().second.size(0); }

  /// Null if there is none of that name.
  const at::Tensor* find(std::string_view name) const;

  /// Throws Error(kInvalidArgument) if there is none of that name.
  const at::Tensor& at(std::string_view name) const;
};

/// How image_embeds of several items become one.
enum class MixMethod : int {
  kSum,    ///< plain weighted sum; weights need not add up to 1. Source: diffusers,
           ///< KandinskyPriorPipeline.interpolate
  kSlerp,  ///< on the sphere: directions and lengths by their share of the weights, none negative
};

/// Most that an item of a mix can weigh, either way.
inline constexpr double kMaxMixWeight = 1e6;

/// Mixes image_embeds of 1 to limits::kMaxMixItems items; an item of one row serves all rows of the
/// others. The other tensors are `text`'s, or the first item's if that is null. An item of weight 0
/// leaves no trace in image_embeds; one that weighs alone under kSlerp comes back as it is.
/// Throws Error(kInvalidArgument) for no or too many items, shapes that differ, weights beyond
/// kMaxMixWeight or NaN, a mix that is not finite; for kSlerp also for weights below 0 or all 0,
/// and directions that are opposite.
Embeds combine_embeds(Span<const Embeds* const> items, Span<const double> weights,
                      const Embeds* text, MixMethod method);

/// All rows of all items, in order. Throws Error(kInvalidArgument) for no items, items that do not
/// fit, and more than limits::kMaxEmbedsRows rows.
Embeds concat_embeds(Span<const Embeds* const> items);

/// Some rows, in the order asked. Throws Error(kInvalidArgument) for no rows, rows that are not
/// there, and more than limits::kMaxEmbedsRows.
Embeds select_embeds(const Embeds& embeds, Span<const int64_t> rows);

/// One safetensors file. Throws as io::write_safetensors and io::SafetensorsFile::open; load also
/// throws Error(kCorruptFile) for a file that holds something else.
void save_embeds(const Embeds& embeds, std::string_view path);
Embeds load_embeds(std::string_view path);

}  // namespace kandinsky::pipelines
