#include "tensor/bridge.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/replication_pad2d.h>
#include <fmt/format.h>

#include <cstring>

#include "base/error.h"

namespace kandinsky::tensor {

at::ScalarType scalar_type(io::DType dtype) {
  switch (dtype) {
    case io::DType::kF64:
      return at::kDouble;
    case io::DType::kF32:
      return at::kFloat;
    case io::DType::kF16:
      return at::kHalf;
    case io::DType::kBF16:
      return at::kBFloat16;
    case io::DType::kI64:
      return at::kLong;
    case io::DType::kI32:
      return at::kInt;
    case io::DType::kI16:
      return at::kShort;
    case io::DType::kI8:
      return at::kChar;
    case io::DType::kU8:
      return at::kByte;
    case io::DType::kBool:
      return at::kBool;
  }
  throw Error(ErrorCode::kUnsupported, "a tensor of an unknown type");
}

at::Tensor read_tensor(const io::TensorFile& file, const io::StoredTensor& stored) {
  at::Tensor tensor =
      at::empty({stored.shape.data(), stored.shape.size()}, scalar_type(stored.dtype));
  file.read(stored, 0, {static_cast<std::byte*>(tensor.mutable_data_ptr()), stored.size});
  return tensor;
}

at::Tensor from_floats(const float* data, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(data), shape, at::TensorOptions().dtype(at::kFloat))
      .clone();
}

at::Tensor from_ids(const std::vector<int64_t>& ids) {
  return at::from_blob(const_cast<int64_t*>(ids.data()), {1, static_cast<int64_t>(ids.size())},
                       at::TensorOptions().dtype(at::kLong))
      .clone();
}

at::Tensor from_images(const uint8_t* data, int64_t batch_size, int64_t height, int64_t width) {
  const at::Tensor bytes = at::from_blob(const_cast<uint8_t*>(data), {batch_size, height, width, 3},
                                         at::TensorOptions().dtype(at::kByte));
  return bytes.permute({0, 3, 1, 2}).to(at::kFloat).div_(127.5).sub_(1.0);
}

at::Tensor extend_border(const at::Tensor& pixels, int64_t height, int64_t width) {
  if (pixels.size(2) == height && pixels.size(3) == width) return pixels;
  return at::replication_pad2d(pixels, {0, width - pixels.size(3), 0, height - pixels.size(2)});
}

void to_images(const at::Tensor& pixels, int64_t height, int64_t width, uint8_t* data) {
  const int64_t batch_size = pixels.size(0);
  TORCH_INTERNAL_ASSERT(pixels.size(1) == 3 && pixels.size(2) >= height && pixels.size(3) >= width);
  // The reference clamps in the model's type and rounds in fp32.
  const at::Tensor bytes = at::clamp(pixels * 0.5 + 0.5, 0.0, 1.0)
                               .to(at::kCPU, at::kFloat)
                               .slice(2, 0, height)
                               .slice(3, 0, width)
                               .mul(255.0)
                               .round()
                               .to(at::kByte)
                               .permute({0, 2, 3, 1})
                               .contiguous();
  std::memcpy(data, bytes.const_data_ptr(), static_cast<size_t>(batch_size * height * width * 3));
}

}  // namespace kandinsky::tensor
