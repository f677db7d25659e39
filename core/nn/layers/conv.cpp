#include "nn/layers/conv.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/pad.h>

namespace kandinsky::nn {

at::Tensor pad_map(const at::Tensor& x, const Padding& padding, PaddingMode mode) {
  return at::pad(x, {padding.left, padding.right, padding.top, padding.bottom},
                 mode == PaddingMode::kCircular ? "circular" : "constant")
      .contiguous(at::MemoryFormat::ChannelsLast);
}

Conv2d::Conv2d(const tensor::Weights& weights, const ConvShape& shape, Bias bias)
    : weight_(
          weights
              .take("weight", {shape.out_channels, shape.in_channels, shape.kernel, shape.kernel})
              .contiguous(at::MemoryFormat::ChannelsLast)),
      bias_(bias == Bias::kYes ? weights.take("bias", {shape.out_channels}) : at::Tensor()),
      stride_(shape.stride),
      padding_(shape.padding) {}

at::Tensor Conv2d::operator()(const at::Tensor& x, PaddingMode mode) const {
  if (mode == PaddingMode::kCircular && padding_ > 0) {
    return at::conv2d(pad_map(x, {padding_, padding_, padding_, padding_}, mode), weight_, bias_,
                      {stride_, stride_});
  }
  return at::conv2d(x, weight_, bias_, {stride_, stride_}, {padding_, padding_});
}

}  // namespace kandinsky::nn
