/// A network's weights in the form that its kernels use, kept in a file: mapping it takes a
/// fraction of the time of reading, converting and transforming the weights again, and gives the
/// same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/cache_folder.h"
#include "io/tensor_file.h"
#include "tensor/device.h"

namespace kandinsky::tensor {

/// Of one loaded network, which this must outlive: its packed tensors lie in the mapped file.
class PreparedWeights {
 public:
  /// The file of this network in this placement, or the beginning of one. weights: a hash of
  /// the stored weights. network: for the file's name, such as "unet". The file is found again only
  /// by the same release of LibTorch, on the same kind of CPU, with as many threads.
  PreparedWeights(const io::CacheFolder& folder, std::string_view network, std::string_view weights,
                  const Placement& placement);

  /// What was kept of a weight, by its name and the form's; nothing if there is no file yet.
  std::optional<std::vector<at::Tensor>> find(std::string_view name, std::string_view form) const;

  /// Remembers what was made of it, until write(): tensors of one size, type and layout.
  void keep(std::string_view name, std::string_view form, const std::vector<at::Tensor>& tensors);

  /// Whether there is no file yet, but something for it.
  bool has_news() const { return !file_ && !news_.empty(); }

  /// Writes what was kept. check: called now and then, may throw. Returns the file's size in bytes.
  /// Throws Error as CacheFolder::write and `check`.
  uint64_t write(const std::function<void()>& check);

  /// Of the mapped file, which the system can drop and read again: they are not this process's.
  int64_t mapped_bytes() const;

 private:
  io::CacheFolder folder_;
  std::string key_;
  std::string file_name_;
  std::optional<io::TensorFile> file_;
  std::shared_ptr<const std::byte> bytes_;
  std::map<std::string, std::vector<at::Tensor>, std::less<>> news_;
};

/// Whether LibTorch can store what it packs.
bool can_prepare_weights();

}  // namespace kandinsky::tensor
