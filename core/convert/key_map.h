/// The names of the original checkpoints' tensors, and those of diffusers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json_config.h"
#include "io/tensor_file.h"

namespace kandinsky::convert {

/// What a file of weights is for, by the names in it.
enum class Kind : int {
  kUnknown,
  kUNet,         ///< decoder_fp16.ckpt, inpainting_fp16.ckpt, and fine-tunes by their trainer
  kPrior,        ///< prior_fp16.ckpt
  kMovq,         ///< movq_final.ckpt
  kStatistics,   ///< ViT-L-14_stats.th: two vectors
  kTextEncoder,  ///< text_encoder/pytorch_model.bin, whose names are diffusers' own
};

Kind kind_of(const io::TensorFile& file);

/// A tensor under diffusers' name, made of one of a file's.
struct Piece {
  std::string name;
  const io::TensorFile* file = nullptr;
  const io::StoredTensor* stored = nullptr;
  std::vector<int64_t> shape;
  /// Fused projections hold, head after head, the rows of each of their parts.
  int64_t part = 0;
  int64_t parts = 1;
  int64_t head_dim = 0;  ///< rows of a head
};

struct Pieces {
  std::vector<Piece> pieces;
  std::vector<std::string> unknown;  ///< names in the file that nothing needs
};

/// The tensors of a file, which outlives the result. config: of the component that they are for.
/// Throws Error(kCorruptFile) naming file and tensors for what is missing or has no such shape.
Pieces pieces_of(const io::TensorFile& file, Kind kind, const io::JsonConfig& config);

}  // namespace kandinsky::convert
