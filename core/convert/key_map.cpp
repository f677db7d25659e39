#include "convert/key_map.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "io/json_config.h"
#include "io/tensor_file.h"

/// Source: diffusers, scripts/convert_kandinsky_to_diffusers.py.
namespace kandinsky::convert {
namespace {

enum class Form : int {
  kSame,
  kMatrix,    ///< without the trailing ones of a convolution of one element
  kRow,       ///< of a vector
  kOptional,  ///< the same, if present
};

/// Renames all tensors at and below a name.
struct Row {
  const char* from;
  const char* to;
  Form form = Form::kSame;
  int part = 0;
  int parts = 1;
};

constexpr std::array kUNetTop{
    Row{"time_embed.0", "time_embedding.linear_1"},
    Row{"time_embed.2", "time_embedding.linear_2"},
    Row{"input_blocks.0.0", "conv_in"},
    Row{"proj_n", "add_embedding.text_proj"},
    Row{"ln_model_n", "add_embedding.text_norm"},
    Row{"img_layer", "add_embedding.image_proj"},
    Row{"clip_to_seq", "encoder_hid_proj.image_embeds"},
    Row{"to_model_dim_n", "encoder_hid_proj.text_proj"},
    Row{"out.0", "conv_norm_out"},
    Row{"out.2", "conv_out"},
};
constexpr std::array kUNetResnet{
    Row{"in_layers.0", "norm1"},          Row{"in_layers.2", "conv1"},
    Row{"emb_layers.1", "time_emb_proj"}, Row{"out_layers.0", "norm2"},
    Row{"out_layers.3", "conv2"},         Row{"skip_connection", "conv_shortcut", Form::kOptional},
};
constexpr std::array kUNetAttention{
    Row{"norm", "group_norm"},
    Row{"qkv", "to_q", Form::kMatrix, 0, 3},
    Row{"qkv", "to_k", Form::kMatrix, 1, 3},
    Row{"qkv", "to_v", Form::kMatrix, 2, 3},
    Row{"encoder_kv", "add_k_proj", Form::kMatrix, 0, 2},
    Row{"encoder_kv", "add_v_proj", Form::kMatrix, 1, 2},
    Row{"proj_out", "to_out.0", Form::kMatrix},
};

constexpr std::array kPriorTop{
    Row{"time_embed.0", "time_embedding.linear_1"},
    Row{"time_embed.2", "time_embedding.linear_2"},
    Row{"clip_img_proj", "proj_in"},
    Row{"text_emb_proj", "embedding_proj"},
    Row{"text_enc_proj", "encoder_hidden_states_proj"},
    Row{"positional_embedding", "positional_embedding"},
    Row{"prd_emb", "prd_embedding"},
    Row{"final_ln", "norm_out"},
    Row{"out_proj", "proj_to_clip_embeddings"},
};
constexpr std::array kPriorBlock{
    Row{"attn.c_qkv", "attn1.to_q", Form::kMatrix, 0, 3},
    Row{"attn.c_qkv", "attn1.to_k", Form::kMatrix, 1, 3},
    Row{"attn.c_qkv", "attn1.to_v", Form::kMatrix, 2, 3},
    Row{"attn.c_proj", "attn1.to_out.0"},
    Row{"mlp.c_fc", "ff.net.0.proj"},
    Row{"mlp.c_proj", "ff.net.2"},
    Row{"ln_1", "norm1"},
    Row{"ln_2", "norm3"},
};

constexpr std::array kStatistics{
    Row{"0", "clip_mean", Form::kRow},
    Row{"1", "clip_std", Form::kRow},
};

constexpr std::array kMovqTop{
    Row{"quant_conv", "quant_conv"},
    Row{"post_quant_conv", "post_quant_conv"},
    Row{"quantize.embedding", "quantize.embedding"},
    Row{"encoder.conv_in", "encoder.conv_in"},
    Row{"encoder.norm_out", "encoder.conv_norm_out"},
    Row{"encoder.conv_out", "encoder.conv_out"},
    Row{"decoder.conv_in", "decoder.conv_in"},
    Row{"decoder.norm_out", "decoder.conv_norm_out"},
    Row{"decoder.conv_out", "decoder.conv_out"},
};
constexpr std::array kMovqResnet{
    Row{"norm1", "norm1"},
    Row{"conv1", "conv1"},
    Row{"norm2", "norm2"},
    Row{"conv2", "conv2"},
    Row{"nin_shortcut", "conv_shortcut", Form::kOptional},
};
template <bool is_decoder>
constexpr std::array kMovqAttention{
    Row{"norm", is_decoder ? "spatial_norm" : "group_norm"},
    Row{"q", "to_q", Form::kMatrix},
    Row{"k", "to_k", Form::kMatrix},
    Row{"v", "to_v", Form::kMatrix},
    Row{"proj_out", "to_out.0", Form::kMatrix},
};

/// Collects the renamed tensors of a file.
class Renaming {
 public:
  Renaming(const io::TensorFile& file, std::string prefix, int64_t head_dim)
      : file_(file), prefix_(std::move(prefix)), head_dim_(head_dim) {
    for (const io::StoredTensor& stored : file.tensors()) names_.emplace(stored.name);
  }

  /// Whether something is at or below the name.
  bool has(std::string_view name) const { return !below(name).empty(); }

  void add(Span<const Row> rows, const std::string& from = "", const std::string& to = "") {
    for (const Row& row : rows) {
      const std::string name = prefix_ + from + row.from;
      const auto found = below(from + row.from);
      if (found.empty() && row.form != Form::kOptional) {
        missing_.push_back(name);
        // A config may have more layers than can be listed in reasonable time.
        if (missing_.size() > kShown) refuse_missing();
      }
      for (const std::string_view full : found) {
        used_.emplace(full);
        add(row, *file_.find(full), to + row.to + std::string(full.substr(name.size())));
      }
    }
  }

  Pieces finish() {
    if (!missing_.empty()) refuse_missing();
    for (const std::string_view name : names_) {
      if (!used_.contains(name)) pieces_.unknown.emplace_back(name);
    }
    return std::move(pieces_);
  }

 private:
  static constexpr size_t kShown = 5;

  [[noreturn]] void refuse_missing() {
    const bool has_more = missing_.size() > kShown;
    missing_.resize(std::min(missing_.size(), kShown));
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: tensors are missing: {}{}", file_.path(),
                            fmt::join(missing_, ", "), has_more ? ", ..." : ""));
  }

  std::vector<std::string_view> below(const std::string_view name) const {
    const std::string full = prefix_ + std::string(name);
    std::vector<std::string_view> found;
    for (auto at = names_.lower_bound(full); at != names_.end() && at->starts_with(full); ++at) {
      if (at->size() == full.size() || (*at)[full.size()] == '.') found.push_back(*at);
    }
    return found;
  }

  void add(const Row& row, const io::StoredTensor& stored, std::string name) {
    std::vector<int64_t> shape(stored.shape.begin(), stored.shape.end());
    if (row.form == Form::kMatrix) {
      while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
    }
    if (row.form == Form::kRow) shape.insert(shape.begin(), 1);
    if (row.parts > 1) {
      if (shape.empty() || head_dim_ <= 0 || shape[0] <= 0 ||
          shape[0] % (row.parts * head_dim_) != 0) {
        throw Error(ErrorCode::kCorruptFile,
                    fmt::format("{}: tensor '{}' of shape [{}] cannot be split into {} parts with "
                                "heads of {}",
                                file_.path(), stored.name, fmt::join(stored.shape, ", "), row.parts,
                                head_dim_));
      }
      shape[0] /= row.parts;
    }
    pieces_.pieces.push_back({.name = std::move(name),
                              .file = &file_,
                              .stored = &stored,
                              .shape = std::move(shape),
                              .part = row.part,
                              .parts = row.parts,
                              .head_dim = head_dim_});
  }

  const io::TensorFile& file_;
  std::string prefix_;
  int64_t head_dim_;
  std::set<std::string_view> names_;
  std::set<std::string_view> used_;
  std::vector<std::string> missing_;
  Pieces pieces_;
};

void add_unet(Renaming& renaming, const io::JsonConfig& config) {
  renaming.add(kUNetTop);
  const auto levels = static_cast<int64_t>(config.get_ints("block_out_channels").size());
  const int64_t layers = config.get_int("layers_per_block");
  const auto add_layer = [&](const std::string& from, const std::string& to, int64_t j) {
    renaming.add(kUNetResnet, from + ".0.", fmt::format("{}.resnets.{}.", to, j));
    const bool has_attention = renaming.has(from + ".1.qkv");
    if (has_attention)
      renaming.add(kUNetAttention, from + ".1.", fmt::format("{}.attentions.{}.", to, j));
    return has_attention;
  };
  int64_t block = 1;
  for (int64_t level = 0; level < levels; ++level) {
    const std::string to = fmt::format("down_blocks.{}", level);
    for (int64_t j = 0; j < layers; ++j) add_layer(fmt::format("input_blocks.{}", block++), to, j);
    if (level + 1 < levels) {
      renaming.add(kUNetResnet, fmt::format("input_blocks.{}.0.", block++),
                   to + ".downsamplers.0.");
    }
  }
  renaming.add(kUNetResnet, "middle_block.0.", "mid_block.resnets.0.");
  renaming.add(kUNetAttention, "middle_block.1.", "mid_block.attentions.0.");
  renaming.add(kUNetResnet, "middle_block.2.", "mid_block.resnets.1.");
  block = 0;
  for (int64_t level = 0; level < levels; ++level) {
    const std::string to = fmt::format("up_blocks.{}", level);
    for (int64_t j = 0; j <= layers; ++j) {
      const std::string from = fmt::format("output_blocks.{}", block++);
      const bool has_attention = add_layer(from, to, j);
      if (j == layers && level + 1 < levels)
        renaming.add(kUNetResnet, from + (has_attention ? ".2." : ".1."), to + ".upsamplers.0.");
    }
  }
}

void add_prior(Renaming& renaming) {
  renaming.add(kPriorTop);
  for (int64_t i = 0; i == 0 || renaming.has(fmt::format("transformer.resblocks.{}", i)); ++i) {
    renaming.add(kPriorBlock, fmt::format("transformer.resblocks.{}.", i),
                 fmt::format("transformer_blocks.{}.", i));
  }
}

template <bool is_decoder>
void add_movq_half(Renaming& renaming, int64_t levels) {
  const std::string half = is_decoder ? "decoder" : "encoder";
  const auto& attention = kMovqAttention<is_decoder>;
  for (int64_t level = 0; level < levels; ++level) {
    const std::string from = fmt::format("{}.{}.{}", half, is_decoder ? "up" : "down", level);
    // The original numbers both encoder and decoder levels from the pixels.
    const std::string to = fmt::format("{}.{}_blocks.{}", half, is_decoder ? "up" : "down",
                                       is_decoder ? levels - 1 - level : level);
    for (int64_t j = 0; renaming.has(fmt::format("{}.block.{}", from, j)); ++j) {
      renaming.add(kMovqResnet, fmt::format("{}.block.{}.", from, j),
                   fmt::format("{}.resnets.{}.", to, j));
      if (renaming.has(fmt::format("{}.attn.{}", from, j))) {
        renaming.add(attention, fmt::format("{}.attn.{}.", from, j),
                     fmt::format("{}.attentions.{}.", to, j));
      }
    }
    const std::string resampler = is_decoder ? "upsample" : "downsample";
    const Row row{"conv", "conv"};
    if (renaming.has(fmt::format("{}.{}", from, resampler))) {
      renaming.add({&row, 1}, fmt::format("{}.{}.", from, resampler),
                   fmt::format("{}.{}rs.0.", to, resampler));
    }
  }
  renaming.add(kMovqResnet, half + ".mid.block_1.", half + ".mid_block.resnets.0.");
  renaming.add(attention, half + ".mid.attn_1.", half + ".mid_block.attentions.0.");
  renaming.add(kMovqResnet, half + ".mid.block_2.", half + ".mid_block.resnets.1.");
}

void add_movq(Renaming& renaming) {
  renaming.add(kMovqTop);
  int64_t levels = 0;
  while (renaming.has(fmt::format("encoder.down.{}", levels))) ++levels;
  add_movq_half<false>(renaming, levels);
  add_movq_half<true>(renaming, levels);
}

/// Prefixes of trainers before a network's own names.
std::string prefix_of(const io::TensorFile& file, std::string_view name) {
  return file.find(fmt::format("model.{}", name)) != nullptr ? "model." : "";
}

constexpr std::string_view kUNetMark = "input_blocks.0.0.weight";
constexpr std::string_view kPriorMark = "clip_img_proj.weight";

}  // namespace

Kind kind_of(const io::TensorFile& file) {
  const auto has = [&](std::string_view name) {
    return file.find(prefix_of(file, name) + std::string(name)) != nullptr;
  };
  if (has(kUNetMark)) return Kind::kUNet;
  if (has(kPriorMark)) return Kind::kPrior;
  if (has("encoder.down.0.block.0.conv1.weight")) return Kind::kMovq;
  if (has("LinearTransformation.weight")) return Kind::kTextEncoder;
  const bool is_pair = file.tensors().size() == 2 && file.find("0") != nullptr &&
                       file.find("1") != nullptr && file.find("0")->shape.size() == 1;
  return is_pair ? Kind::kStatistics : Kind::kUnknown;
}

Pieces pieces_of(const io::TensorFile& file, Kind kind, const io::JsonConfig& config) {
  if (kind == Kind::kTextEncoder || kind == Kind::kUnknown) {
    Pieces same;
    for (const io::StoredTensor& stored : file.tensors()) {
      same.pieces.push_back({.name = std::string(stored.name),
                             .file = &file,
                             .stored = &stored,
                             .shape = {stored.shape.begin(), stored.shape.end()}});
    }
    return same;
  }
  const int64_t head_dim = config.get_int("attention_head_dim", 64);
  Renaming renaming(file, prefix_of(file, kind == Kind::kUNet ? kUNetMark : kPriorMark), head_dim);
  switch (kind) {
    case Kind::kUNet:
      add_unet(renaming, config);
      break;
    case Kind::kPrior:
      add_prior(renaming);
      break;
    case Kind::kMovq:
      add_movq(renaming);
      break;
    default:
      renaming.add(kStatistics);
  }
  return renaming.finish();
}

}  // namespace kandinsky::convert
