#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "io/json_config.h"
#include "nn/layers/conv.h"  // IWYU pragma: export
#include "nn/layers/norm.h"
#include "nn/layers/timestep_embedding.h"
#include "nn/layers/unit.h"
#include "nn/unet/hint_network.h"
#include "nn/unet/image_conditioning.h"       // IWYU pragma: export
#include "nn/unet/text_image_conditioning.h"  // IWYU pragma: export
#include "nn/unet/unet_blocks.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// A UNet's conditioning: "addition_embed_type" of its config.
enum class UNetInputs : int {
  kTextImage,  ///< the embedding of an image and those of a text
  kImage,      ///< the embedding of an image
  kImageHint,  ///< likewise, and a hint image
};

struct UNetConfig {
  UNetInputs inputs = UNetInputs::kTextImage;
  int64_t in_channels = 4;
  int64_t out_channels = 8;
  int64_t sample_size = 64;
  std::vector<int64_t> block_out_channels;
  std::vector<bool> down_attention;  ///< per level
  std::vector<bool> up_attention;    ///< per level, from the innermost outwards
  int64_t layers_per_block = 3;
  int64_t attention_head_dim = 64;
  int64_t cross_attention_dim = 768;
  int64_t encoder_hid_dim = 1024;  ///< of the text's hidden states; without text, of the image
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;

  /// Throws Error(kCorruptFile) for sizes that do not fit together, Error(kUnsupported) for
  /// switches of other networks.
  static UNetConfig from_json(const io::JsonConfig& json);

  /// The width of image embeddings.
  int64_t image_embed_dim() const {
    return inputs == UNetInputs::kTextImage ? cross_attention_dim : encoder_hid_dim;
  }
};

/// The decoder's UNet: noisy latents and embeddings -> noise prediction.
class UNet {
 public:
  /// Everything computed from the embeddings, the same in every step.
  struct Conditioning {
    at::Tensor aug_emb;  ///< [B, time_embed_dim]
    std::vector<AddedKvAttention::Context>
        contexts;  ///< one for each attention unit, in order of use
  };

  /// Throws Error(kCorruptFile) for weights that do not fit the config.
  UNet(const UNetConfig& config, const tensor::Weights& weights);

  /// image_embeds: [B, image_embed_dim()]; of a UNet with text also text_embeds: [B,
  /// cross_attention_dim] and text_encoder_hidden_states: [B, T, encoder_hid_dim].
  Conditioning condition(const at::Tensor& image_embeds, const at::Tensor& text_embeds = {},
                         const at::Tensor& text_encoder_hidden_states = {}) const;

  /// The extra channels of a hint, fp32 on the CPU; see HintNetwork. Only for a UNet with
  /// hints.
  at::Tensor hint_channels(const at::Tensor& pixels, PaddingMode padding_mode) const;

  /// The rows of several results of condition() as one, B being their sum. They need the same
  /// number T of text tokens.
  static Conditioning join(const std::vector<const Conditioning*>& conditionings);

  /// sample: [B, in_channels, h, w] with h and w multiples of size_multiple(), or [1, ...] for the
  /// same under every row of the conditioning. timestep may be fractional. deep_features: the
  /// output of all levels inside the outermost one, the input of the last up block. If defined, it
  /// is used and these levels do not run; if undefined, it is set. Returns [B, out_channels, h, w]
  /// in the placement's type. Source: diffusers, UNet2DConditionModel.forward.
  at::Tensor operator()(const at::Tensor& sample, double timestep, const Conditioning& conditioning,
                        PaddingMode padding_mode = PaddingMode::kZeros,
                        at::Tensor* deep_features = nullptr) const;

  const UNetConfig& config() const { return config_; }
  const tensor::Placement& placement() const { return placement_; }

  /// Latent sides must be multiples of this, since each level except the last halves them.
  int64_t size_multiple() const { return int64_t{1} << (config_.block_out_channels.size() - 1); }

 private:
  struct Level {
    std::vector<Unit<ResnetBlock>> resnets;
    std::vector<Unit<AddedKvAttention>> attentions;  ///< empty, or one for each resnet
    std::optional<Unit<ResnetBlock>> resampler;
  };
  static std::variant<TextImageConditioning, ImageConditioning> make_conditioning(
      const UNetConfig& config, const tensor::Weights& weights, int64_t time_embed_dim);
  Level make_level(const tensor::Weights& weights, const std::vector<int64_t>& in_channels,
                   int64_t channels, bool has_attention, Resample resample) const;

  /// One pass through the levels.
  class Pass;

  UNetConfig config_;
  tensor::Placement placement_;
  int64_t time_embed_dim_;
  std::variant<TextImageConditioning, ImageConditioning> conditioning_;
  std::optional<HintNetwork> hint_network_;
  TimestepEmbedding time_embedding_;
  Conv2d conv_in_;
  std::vector<Level> down_blocks_;
  std::vector<Unit<ResnetBlock>> mid_resnets_;
  std::optional<Unit<AddedKvAttention>> mid_attention_;
  std::vector<Level> up_blocks_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};

}  // namespace kandinsky::nn
