#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/span.h"

namespace kandinsky::pipelines {

/// What guides a batch of pictures on one side: named tensors [B, ...], fp32 on the CPU, kept by
/// value. Every family has "image_embeds" [B, E]; Kandinsky 2.1 adds "prompt_embeds" [B, E] and
/// "text_encoder_hidden_states" [B, T, X].
struct Embeds {
  std::vector<std::pair<std::string, at::Tensor>> tensors;

  int64_t batch_size() const { return tensors.empty() ? 0 : tensors.front().second.size(0); }

  /// Null if there is none of that name.
  const at::Tensor* find(std::string_view name) const;

  /// Throws Error(kInvalidArgument) if there is none of that name.
  const at::Tensor& at(std::string_view name) const;
};

/// The weighted sum of all items' image_embeds; the other tensors are the first item's.
/// Throws Error(kInvalidArgument) for no items, shapes that differ or weights that are not finite.
/// Source: diffusers, KandinskyPriorPipeline.interpolate.
Embeds combine_embeds(Span<const Embeds* const> items, Span<const double> weights);

/// One safetensors file. Throws as io::write_safetensors and io::SafetensorsFile::open; load also
/// throws Error(kCorruptFile) for a file that holds something else.
void save_embeds(const Embeds& embeds, std::string_view path);
Embeds load_embeds(std::string_view path);

}  // namespace kandinsky::pipelines
