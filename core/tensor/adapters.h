/// LoRA: low-rank matrices that are added to a network's weights at loading.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/tensor_file.h"

namespace kandinsky::tensor {

/// A LoRA file and its weight.
struct AdapterChoice {
  std::string path;
  double weight = 1.0;
};

/// "FILE:WEIGHT", or "FILE" for a weight of 1. Throws Error(kInvalidArgument) for an empty name and
/// for an invalid or too large weight.
AdapterChoice parse_adapter(std::string_view text);

/// The pair of matrices for one weight W: W + scale * up * down.
struct AdapterPair {
  const io::StoredTensor* down = nullptr;  ///< [rank, inputs]
  const io::StoredTensor* up = nullptr;    ///< [outputs, rank]
  double alpha = 0.0;                      ///< 0: the rank
  double scale = 1.0;                      ///< alpha / rank
};

/// A LoRA file in the format of diffusers' attention processors ("....processor.to_q_lora.down")
/// or of PEFT ("....to_q.lora_A"), with the alpha from the file, its metadata or the
/// adapter_config.json beside it, else the rank. Indexed by the names of the changed weights.
class AdapterFile {
 public:
  /// Throws Error: as io::open_weight_file; kUnsupported for tensors of other kinds of adapters,
  /// kCorruptFile for pairs that do not match.
  static AdapterFile open(const std::string& path);

  const std::string& path() const { return path_; }
  /// A text that identifies what the matrices are made of: the state of the file, and the settings
  /// beside it.
  const std::string& key() const { return key_; }
  const std::map<std::string, AdapterPair, std::less<>>& pairs() const { return pairs_; }

  /// scale * up * down as an fp32 CPU tensor [outputs, inputs]. Throws as TensorFile::read.
  at::Tensor delta(const AdapterPair& pair) const;

 private:
  AdapterFile(std::string path, io::TensorFile file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  std::string key_;
  io::TensorFile file_;
  std::map<std::string, AdapterPair, std::less<>> pairs_;
};

/// The LoRAs of one engine. Networks register their weights when they are opened, and get the
/// matrices to add whenever they load a weight. Must not be changed during a job.
class Adapters {
 public:
  /// Registers a weight of a network. folder: of its component, for messages.
  void know(std::string_view name, Span<const int64_t> shape, std::string_view folder);

  /// Replaces the LoRAs. Throws Error, with nothing changed: as AdapterFile::open; kIncompatible
  /// for one that does not fit the networks, with tensor and shapes.
  void choose(const std::vector<AdapterChoice>& choices);

  /// The matrix to add to the weight of that name, fp32 [outputs, inputs]; undefined: none.
  at::Tensor delta(std::string_view name) const;

  /// A text that identifies the LoRAs that change one of a network's weights, as they are in their
  /// files.
  using HasWeight = std::function<bool(std::string_view name)>;
  std::string key_for(const HasWeight& has) const;

 private:
  struct Chosen {
    AdapterFile file;
    double weight = 1.0;
  };
  struct Known {
    std::vector<int64_t> shape;
    std::string folder;
  };
  void check_fits(const AdapterFile& file) const;

  std::map<std::string, Known, std::less<>> known_;
  std::vector<Chosen> chosen_;
};

}  // namespace kandinsky::tensor
