#include "nn/unet/unet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "io/json_config.h"
#include "nn/config_checks.h"
#include "nn/layers/conv.h"
#include "nn/layers/norm.h"
#include "nn/layers/unit.h"
#include "nn/unet/image_conditioning.h"
#include "nn/unet/text_image_conditioning.h"
#include "nn/unet/unet_blocks.h"
#include "tensor/arena.h"
#include "tensor/run_context.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

namespace {

UNetInputs read_inputs(const io::JsonConfig& json) {
  const std::string_view type = json.get_string_view("addition_embed_type", "text_image");
  if (type == "image" || type == "image_hint") {
    require_value(json, "encoder_hid_dim_type", "image_proj");
    return type == "image" ? UNetInputs::kImage : UNetInputs::kImageHint;
  }
  if (type != "text_image") {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: \"addition_embed_type\" is {}, but only text_image, image and "
                            "image_hint are supported",
                            json.source(), type));
  }
  require_value(json, "encoder_hid_dim_type", "text_image_proj");
  return UNetInputs::kTextImage;
}

}  // namespace

UNetConfig UNetConfig::from_json(const io::JsonConfig& json) {
  require_value(json, "act_fn", "silu");
  require_value(json, "resnet_time_scale_shift", "scale_shift");
  require_value(json, "mid_block_type", "UNetMidBlock2DSimpleCrossAttn");
  require_value(json, "time_embedding_type", "positional");
  require_value(json, "flip_sin_to_cos", true);
  require_value(json, "freq_shift", int64_t{0});
  require_value(json, "conv_in_kernel", int64_t{3});
  require_value(json, "conv_out_kernel", int64_t{3});
  require_value(json, "class_embeddings_concat", false);
  require_value(json, "center_input_sample", false);
  require_value(json, "only_cross_attention", false);
  require_value(json, "resnet_skip_time_act", false);
  require_value(json, "class_embed_type", "");
  require_value(json, "cross_attention_norm", "");

  UNetConfig config;
  config.inputs = read_inputs(json);
  config.in_channels = get_size(json, "in_channels", 4);
  config.out_channels = get_size(json, "out_channels", 8);
  config.sample_size = get_size(json, "sample_size", 64);
  config.block_out_channels = get_sizes(json, "block_out_channels");
  const size_t levels = config.block_out_channels.size();
  config.down_attention = get_attention_levels(json, "down_block_types", "ResnetDownsampleBlock2D",
                                               "SimpleCrossAttnDownBlock2D", levels);
  config.up_attention = get_attention_levels(json, "up_block_types", "ResnetUpsampleBlock2D",
                                             "SimpleCrossAttnUpBlock2D", levels);
  config.layers_per_block = get_layer_count(json, "layers_per_block", 3);
  config.attention_head_dim = get_size(json, "attention_head_dim", 64);
  config.cross_attention_dim = get_size(json, "cross_attention_dim", 768);
  config.encoder_hid_dim = get_size(json, "encoder_hid_dim", 1024);
  config.norm_num_groups = get_size(json, "norm_num_groups", 32);
  config.norm_eps = json.get_double("norm_eps", 1e-5);
  for (size_t i = 0; i < levels; ++i) {
    const bool has_attention =
        config.down_attention[i] || config.up_attention[levels - 1 - i] || i + 1 == levels;
    if (has_attention) {
      require_divisible(json, "block_out_channels", config.block_out_channels[i],
                        "attention_head_dim", config.attention_head_dim);
    }
  }
  return config;
}

namespace {

/// Concatenates the channels of two maps.
at::Tensor joined(const at::Tensor& one, const at::Tensor& other) {
  at::Tensor result =
      tensor::recycled({one.size(0), one.size(1) + other.size(1), one.size(2), one.size(3)},
                       one.options(), at::MemoryFormat::ChannelsLast);
  return at::cat_out(result, {one, other}, 1);
}

}  // namespace

UNet::UNet(const UNetConfig& config, const tensor::Weights& weights)
    : config_(config),
      placement_(weights.placement()),
      time_embed_dim_(4 * config.block_out_channels.front()),
      conditioning_(make_conditioning(config, weights, time_embed_dim_)),
      time_embedding_(weights.scope("time_embedding"), config.block_out_channels.front(),
                      time_embed_dim_),
      conv_in_(weights.scope("conv_in"), {.in_channels = config.in_channels,
                                          .out_channels = config.block_out_channels.front()}),
      conv_norm_out_(weights.scope("conv_norm_out"), config.block_out_channels.front(),
                     config.norm_num_groups, config.norm_eps),
      conv_out_(weights.scope("conv_out"), {.in_channels = config.block_out_channels.front(),
                                            .out_channels = config.out_channels}) {
  if (config.inputs == UNetInputs::kImageHint)
    hint_network_.emplace(weights.scope("add_embedding"));
  const std::vector<int64_t>& widths = config.block_out_channels;
  const auto levels = static_cast<int64_t>(widths.size());

  // The width of every skip connection, in the order of the down blocks.
  std::vector<int64_t> skips{widths.front()};
  for (int64_t i = 0; i < levels; ++i) {
    std::vector<int64_t> in_channels(static_cast<size_t>(config.layers_per_block),
                                     widths[static_cast<size_t>(i)]);
    in_channels.front() = skips.back();
    const bool is_last = i + 1 == levels;
    down_blocks_.push_back(make_level(weights.scope("down_blocks", i), in_channels,
                                      widths[static_cast<size_t>(i)],
                                      config.down_attention[static_cast<size_t>(i)],
                                      is_last ? Resample::kNone : Resample::kDown));
    skips.insert(skips.end(), in_channels.size() + (is_last ? 0 : 1),
                 widths[static_cast<size_t>(i)]);
  }

  const tensor::Weights mid = weights.scope("mid_block");
  const ResnetBlock::Shape mid_shape{widths.back(), widths.back(), time_embed_dim_,
                                     config.norm_num_groups, config.norm_eps};
  mid_resnets_.push_back(make_unit<ResnetBlock>(mid.scope("resnets", 0), mid_shape));
  mid_attention_ = make_unit<AddedKvAttention>(
      mid.scope("attentions", 0),
      AddedKvAttention::Shape{widths.back(), config.attention_head_dim, config.cross_attention_dim,
                              config.norm_num_groups});
  mid_resnets_.push_back(make_unit<ResnetBlock>(mid.scope("resnets", 1), mid_shape));

  int64_t below = widths.back();
  for (int64_t i = 0; i < levels; ++i) {
    const int64_t width = widths[static_cast<size_t>(levels - 1 - i)];
    std::vector<int64_t> in_channels;
    for (int64_t j = 0; j <= config.layers_per_block; ++j) {
      in_channels.push_back((j == 0 ? below : width) + skips.back());
      skips.pop_back();
    }
    below = width;
    up_blocks_.push_back(make_level(weights.scope("up_blocks", i), in_channels, width,
                                    config.up_attention[static_cast<size_t>(i)],
                                    i + 1 == levels ? Resample::kNone : Resample::kUp));
  }
  weights.finish();
}

std::variant<TextImageConditioning, ImageConditioning> UNet::make_conditioning(
    const UNetConfig& config, const tensor::Weights& weights, int64_t time_embed_dim) {
  if (config.inputs == UNetInputs::kTextImage) {
    return TextImageConditioning(weights, {.cross_attention_dim = config.cross_attention_dim,
                                           .encoder_hid_dim = config.encoder_hid_dim,
                                           .time_embed_dim = time_embed_dim});
  }
  return ImageConditioning(weights, {.cross_attention_dim = config.cross_attention_dim,
                                     .image_embed_dim = config.encoder_hid_dim,
                                     .time_embed_dim = time_embed_dim});
}

UNet::Level UNet::make_level(const tensor::Weights& weights,
                             const std::vector<int64_t>& in_channels, int64_t channels,
                             bool has_attention, Resample resample) const {
  const auto shape = [&](int64_t in) {
    return ResnetBlock::Shape{in, channels, time_embed_dim_, config_.norm_num_groups,
                              config_.norm_eps};
  };
  Level level;
  for (size_t j = 0; j < in_channels.size(); ++j) {
    level.resnets.push_back(make_unit<ResnetBlock>(
        weights.scope("resnets", static_cast<int64_t>(j)), shape(in_channels[j])));
    if (!has_attention) continue;
    level.attentions.push_back(make_unit<AddedKvAttention>(
        weights.scope("attentions", static_cast<int64_t>(j)),
        AddedKvAttention::Shape{channels, config_.attention_head_dim, config_.cross_attention_dim,
                                config_.norm_num_groups}));
  }
  if (resample != Resample::kNone) {
    const char* name = resample == Resample::kDown ? "downsamplers" : "upsamplers";
    level.resampler = make_unit<ResnetBlock>(weights.scope(name, 0), shape(channels), resample);
  }
  return level;
}

UNet::Conditioning UNet::condition(const at::Tensor& image_embeds, const at::Tensor& text_embeds,
                                   const at::Tensor& text_encoder_hidden_states) const {
  const auto placed = [this](const at::Tensor& x) {
    return x.to(placement_.device, placement_.dtype);
  };
  const auto* const text_image = std::get_if<TextImageConditioning>(&conditioning_);
  const auto [encoder_hidden_states, aug_emb] =
      text_image != nullptr ? (*text_image)(placed(image_embeds), placed(text_embeds),
                                            placed(text_encoder_hidden_states))
                            : std::get<ImageConditioning>(conditioning_)(placed(image_embeds));
  Conditioning conditioning{.aug_emb = aug_emb, .contexts = {}};
  const auto project =
      [&, &states = encoder_hidden_states](const std::vector<Unit<AddedKvAttention>>& attentions) {
        for (const Unit<AddedKvAttention>& attention : attentions)
          conditioning.contexts.push_back(attention.get()->project(states));
      };
  for (const Level& level : down_blocks_) project(level.attentions);
  conditioning.contexts.push_back(mid_attention_->get()->project(encoder_hidden_states));
  for (const Level& level : up_blocks_) project(level.attentions);
  return conditioning;
}

at::Tensor UNet::hint_channels(const at::Tensor& pixels, PaddingMode padding_mode) const {
  return (*hint_network_)(pixels.to(placement_.device, placement_.dtype), padding_mode)
      .to(at::kCPU, at::kFloat);
}

UNet::Conditioning UNet::join(const std::vector<const Conditioning*>& conditionings) {
  const auto joined = [&conditionings](const auto& tensor_of) {
    std::vector<at::Tensor> rows;
    rows.reserve(conditionings.size());
    for (const Conditioning* conditioning : conditionings) rows.push_back(tensor_of(*conditioning));
    return at::cat(rows);
  };
  Conditioning result{.aug_emb = joined([](const Conditioning& c) { return c.aug_emb; }),
                      .contexts = {}};
  for (size_t i = 0; i < conditionings.front()->contexts.size(); ++i) {
    result.contexts.push_back(
        {.key = joined([i](const Conditioning& c) { return c.contexts[i].key; }),
         .value = joined([i](const Conditioning& c) { return c.contexts[i].value; })});
  }
  return result;
}

class UNet::Pass {
 public:
  Pass(at::Tensor activated_temb, const Conditioning& conditioning, PaddingMode padding_mode)
      : temb_(std::move(activated_temb)),
        context_(conditioning.contexts.begin()),
        padding_mode_(padding_mode) {}

  /// The level's units, each of which stores a skip connection.
  at::Tensor down(const Level& level, at::Tensor x) {
    if (skips_.empty()) skips_.push_back(for_all_rows(x, temb_.size(0)));
    for (size_t j = 0; j < level.resnets.size(); ++j) {
      x = level.resnets[j](x, temb_, padding_mode_);
      skips_.push_back(x = attend(level, j, x));
      tensor::end_block();
    }
    return x;
  }

  at::Tensor shrink(const Level& level, const at::Tensor& x) {
    if (!level.resampler) return x;
    skips_.push_back((*level.resampler)(x, temb_, padding_mode_));
    return skips_.back();
  }

  at::Tensor middle(const UNet& unet, at::Tensor x) {
    x = unet.mid_resnets_[0](x, temb_, padding_mode_);
    x = (*unet.mid_attention_)(x, *context_++);
    return unet.mid_resnets_[1](x, temb_, padding_mode_);
  }

  /// The level's units, each of which uses a skip connection.
  at::Tensor up(const Level& level, at::Tensor x) {
    for (size_t j = 0; j < level.resnets.size(); ++j) {
      x = level.resnets[j](joined(x, skips_.back()), temb_, padding_mode_);
      skips_.pop_back();
      x = attend(level, j, x);
      tensor::end_block();
    }
    return x;
  }

  at::Tensor enlarge(const Level& level, const at::Tensor& x) {
    return level.resampler ? (*level.resampler)(x, temb_, padding_mode_) : x;
  }

  /// Skips the attention units up to those of this last level.
  void skip_to(const Level& last, const Conditioning& conditioning) {
    context_ = conditioning.contexts.end() - static_cast<std::ptrdiff_t>(last.attentions.size());
  }

 private:
  at::Tensor attend(const Level& level, size_t j, const at::Tensor& x) {
    return level.attentions.empty() ? x : level.attentions[j](x, *context_++);
  }

  at::Tensor temb_;
  std::vector<AddedKvAttention::Context>::const_iterator context_;
  PaddingMode padding_mode_;
  std::vector<at::Tensor> skips_;
};

at::Tensor UNet::operator()(const at::Tensor& sample, double timestep,
                            const Conditioning& conditioning, PaddingMode padding_mode,
                            at::Tensor* deep_features) const {
  // Every residual unit's projection starts with SiLU: computed once for all.
  Pass pass(at::silu(time_embedding_(timestep) + conditioning.aug_emb), conditioning, padding_mode);
  at::Tensor x =
      sample.to(placement_.device, placement_.dtype).contiguous(at::MemoryFormat::ChannelsLast);
  if (!placement_.speedups.shared_start) x = for_all_rows(x, conditioning.aug_emb.size(0));
  x = conv_in_(x, padding_mode);
  x = pass.down(down_blocks_.front(), std::move(x));
  if (deep_features != nullptr && deep_features->defined()) {
    pass.skip_to(up_blocks_.back(), conditioning);
    x = *deep_features;
  } else {
    x = pass.shrink(down_blocks_.front(), x);
    for (size_t i = 1; i < down_blocks_.size(); ++i)
      x = pass.shrink(down_blocks_[i], pass.down(down_blocks_[i], std::move(x)));
    x = pass.middle(*this, std::move(x));
    for (size_t i = 0; i + 1 < up_blocks_.size(); ++i)
      x = pass.enlarge(up_blocks_[i], pass.up(up_blocks_[i], std::move(x)));
    if (deep_features != nullptr) *deep_features = x;
  }
  x = pass.enlarge(up_blocks_.back(), pass.up(up_blocks_.back(), std::move(x)));
  return conv_out_(conv_norm_out_(x, {}, kernels::Then::kSilu), padding_mode);
}

}  // namespace kandinsky::nn
