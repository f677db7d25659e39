#include "nn/layers/conv.h"

#include <ATen/ops/conv2d.h>

namespace kandinsky::nn {

Conv2d::Conv2d(const tensor::Weights& weights, const ConvShape& shape, Bias bias)
    : weight_(
          weights
              .take("weight", {shape.out_channels, shape.in_channels, shape.kernel, shape.kernel})
              .contiguous(at::MemoryFormat::ChannelsLast)),
      bias_(bias == Bias::kYes ? weights.take("bias", {shape.out_channels}) : at::Tensor()),
      stride_(shape.stride),
      padding_(shape.padding) {}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  return at::conv2d(x, weight_, bias_, {stride_, stride_}, {padding_, padding_});
}

}  // namespace kandinsky::nn
