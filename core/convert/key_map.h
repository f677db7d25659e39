/// Maps the original checkpoints' tensor names to diffusers'.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json_config.h"
#include "io/tensor_file.h"

namespace kandinsky::convert {

/// The kind of a weight file, by its tensor names.
enum class Kind : int {
  kUnknown,
  kUNet,         ///< decoder_fp16.ckpt, inpainting_fp16.ckpt, and fine-tunes by their trainer
  kPrior,        ///< prior_fp16.ckpt
  kMovq,         ///< movq_final.ckpt
  kStatistics,   ///< ViT-L-14_stats.th: two vectors
  kTextEncoder,  ///< text_encoder/pytorch_model.bin, with diffusers' names
};

Kind kind_of(const io::TensorFile& file);

/// A tensor with diffusers' name, made from a tensor of a file.
struct Piece {
  std::string name;
  const io::TensorFile* file = nullptr;
  const io::StoredTensor* stored = nullptr;
  std::vector<int64_t> shape;
  /// Fused projections hold the rows of each of their parts, head by head.
  int64_t part = 0;
  int64_t parts = 1;
  int64_t head_dim = 0;  ///< rows of a head
};

struct Pieces {
  std::vector<Piece> pieces;
  std::vector<std::string> unknown;  ///< unused names in the file
};

/// The tensors of a file, which must outlive the result. config: of their component.
/// Throws Error(kCorruptFile) with file and tensors for missing ones and wrong shapes.
Pieces pieces_of(const io::TensorFile& file, Kind kind, const io::JsonConfig& config);

}  // namespace kandinsky::convert
