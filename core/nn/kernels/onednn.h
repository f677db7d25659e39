/// Convolutions and linear layers with weights packed in oneDNN's order.
/// LibTorch has them only as dispatcher operators, without C++ headers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "tensor/device.h"

namespace kandinsky::nn::onednn {

/// Whether weights of this placement should and can be packed. LibTorch may lack the operators,
/// or support other types; so each type is tested once, on small tensors, against the plain
/// operators.
bool can_pack(const tensor::Placement& placement);

/// Operations fused into a product.
struct Epilogue {
  const char* activation = "none";  ///< or "gelu", the exact one
  at::Tensor addend{};              ///< of the result's shape; excludes an activation
};

struct ConvGeometry {
  int64_t stride = 1;
  int64_t row_padding = 0;  ///< above and below
  int64_t column_padding = 0;
};

/// weight: [out, in, kernel, kernel] or [out, in]. map_sizes: of its input maps, if
/// known.
at::Tensor pack_convolution(const at::Tensor& weight, const ConvGeometry& geometry,
                            at::IntArrayRef map_sizes = {});
at::Tensor pack_linear(const at::Tensor& weight);

/// A convolution's weights in oneDNN's layout, which depends on the maps' size and number and on
/// the number of threads. oneDNN reorders weights in another layout in every call, which may take
/// ten times as long as the convolution itself. In bf16 without AMX this was seen only with small
/// maps, so these are packed at once; others at the first maps of a kind. For maps of the same
/// width two layouts are kept, since a step may have pairs of conditions and single ones; in
/// low-memory mode only one.
class PackedKernel {
 public:
  PackedKernel() = default;
  /// prepared: what prepare() returns.
  PackedKernel(const at::Tensor& prepared, const ConvGeometry& geometry);

  /// weight: [out, in, kernel, kernel] -> the same or packed.
  static at::Tensor prepare(const at::Tensor& weight, const ConvGeometry& geometry);

  /// Whether weights of this type are packed at once, so that the given tensor is not kept.
  static bool packs_at_once(at::ScalarType dtype);

  /// From any thread.
  at::Tensor for_maps(const at::Tensor& x) const;

 private:
  /// What the layout depends on. Bands of a map differ only in height.
  struct Use {
    int64_t batch = 0;
    int64_t width = 0;
    int64_t threads = 0;
    bool operator==(const Use&) const = default;
  };
  struct Layout {
    at::Tensor weight;
    std::vector<Use> uses;
  };
  struct Layouts {
    std::mutex mutex;
    std::vector<Layout> latest_first;
  };

  /// Packs the weight for one more use, as the latest layout.
  void add(const Use& use, at::IntArrayRef map_sizes) const;

  ConvGeometry geometry_;
  std::unique_ptr<Layouts> layouts_;
};

/// x and addend: channels-last, as is the result. bias: [out] or undefined.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& packed_weight, const at::Tensor& bias,
                       const ConvGeometry& geometry, const Epilogue& epilogue = {});

at::Tensor linear(const at::Tensor& x, const at::Tensor& packed_weight, const at::Tensor& bias,
                  const Epilogue& epilogue = {});

}  // namespace kandinsky::nn::onednn
