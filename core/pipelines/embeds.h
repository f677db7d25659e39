#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/span.h"

namespace kandinsky::pipelines {

/// The tensor in every family's embeds.
inline constexpr std::string_view kImageEmbeds = "image_embeds";

/// The conditioning of a batch of images on one side: named tensors [B, ...], fp32 on the CPU, held
/// by value. Every family has "image_embeds" [B, E], 2.2 only this; Kandinsky 2.1 adds
/// "prompt_embeds" [B, E] and "text_encoder_hidden_states" [B, T, X], and, if prompts were encoded
/// in chunks and differ in length, "text_lengths" [B, 1]: valid rows of the hidden states; the
/// others are 0.
struct Embeds {
  std::vector<std::pair<std::string, at::Tensor>> tensors;

  int64_t batch_size() const { return tensors.empty() ? 0 : tensors.front().second.size(0); }

  /// Null if there is none of that name.
  const at::Tensor* find(std::string_view name) const;

  /// Throws Error(kInvalidArgument) if there is none of that name.
  const at::Tensor& at(std::string_view name) const;
};

/// How image_embeds of several items are combined.
enum class MixMethod : int {
  kSum,    ///< plain weighted sum; weights need not sum to 1. Source: diffusers,
           ///< KandinskyPriorPipeline.interpolate
  kSlerp,  ///< spherical: directions and lengths by normalised weights, none negative
};

/// Maximum absolute weight of an item of a mix.
inline constexpr double kMaxMixWeight = 1e6;

/// Mixes image_embeds of 1 to limits::kMaxMixItems items; an item of one row is used for all rows
/// of the others. The other tensors are `text`'s, or the first item's if that is null. An item of
/// weight 0 does not affect image_embeds; with kSlerp, the only item with a weight is returned
/// unchanged. Throws Error(kInvalidArgument) for no or too many items, shapes that differ, weights
/// beyond kMaxMixWeight or NaN, a mix that is not finite; for kSlerp also for weights below 0 or
/// all 0, and directions that are opposite.
Embeds combine_embeds(Span<const Embeds* const> items, Span<const double> weights,
                      const Embeds* text, MixMethod method);

/// All rows of all items, in order. Throws Error(kInvalidArgument) for no items, items of
/// different shapes, and more than limits::kMaxEmbedsRows rows.
Embeds concat_embeds(Span<const Embeds* const> items);

/// Some rows, in the given order. Throws Error(kInvalidArgument) for no rows, rows out of range,
/// and more than limits::kMaxEmbedsRows.
Embeds select_embeds(const Embeds& embeds, Span<const int64_t> rows);

/// One safetensors file. Throws as io::write_safetensors and io::SafetensorsFile::open; load also
/// throws Error(kCorruptFile) for a file with other content.
void save_embeds(const Embeds& embeds, std::string_view path);
Embeds load_embeds(std::string_view path);

}  // namespace kandinsky::pipelines
