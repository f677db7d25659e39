#include "tensor/packed_tensor.h"

#include <ATen/ops/equal.h>
#include <c10/core/DeviceType.h>
#include <c10/core/Layout.h>
#include <c10/util/Exception.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/span.h"
#include "tensor/operator.h"

// From LibTorch's stable C interface for compiled models. Its headers differ between releases, and
// older ones lack the function.
extern "C" {
// NOLINTNEXTLINE(readability-identifier-naming)
__attribute__((weak)) int32_t aoti_torch_create_tensor_from_blob_v2(
    void* data, int64_t dimensions, const int64_t* sizes, const int64_t* strides,
    int64_t storage_offset, int32_t dtype, int32_t device_type, int32_t device_index,
    at::Tensor** result, int32_t layout, const uint8_t* opaque_metadata,
    int64_t opaque_metadata_size);
// NOLINTNEXTLINE(readability-identifier-naming)
__attribute__((weak)) int32_t aoti_torch_delete_tensor_object(at::Tensor* tensor);
}

namespace kandinsky::tensor {
namespace {

struct Operators {
  Operator data{"mkldnn::data_ptr", "", 1};
  Operator size{"mkldnn::_nbytes", "", 1};
  Operator layout{"mkldnn::_get_mkldnn_serialized_md", "", 1};

  bool exist() const { return data.exists() && size.exists() && layout.exists(); }
};

const Operators& operators() {
  static const Operators all;
  return all;
}

}  // namespace

bool can_store_packed_tensors() {
  return aoti_torch_create_tensor_from_blob_v2 != nullptr && operators().exist();
}

Span<const std::byte> bytes_of_packed(const at::Tensor& packed) {
  const int64_t address = operators().data.value({packed}).toInt();
  const int64_t size = operators().size.value({packed}).toInt();
  return {reinterpret_cast<const std::byte*>(address), static_cast<size_t>(size)};
}

at::Tensor layout_of_packed(const at::Tensor& packed) { return operators().layout({packed}); }

bool have_same_order(const at::Tensor& one, const at::Tensor& other) {
  return one.is_mkldnn() && other.is_mkldnn() && operators().layout.exists() &&
         at::equal(layout_of_packed(one), layout_of_packed(other));
}

at::Tensor packed_in_place(const std::byte* bytes, at::IntArrayRef sizes, at::ScalarType dtype,
                           Span<const std::byte> layout) {
  const std::vector<int64_t> strides(sizes.size(), 0);
  at::Tensor* tensor = nullptr;
  const int32_t error = aoti_torch_create_tensor_from_blob_v2(
      const_cast<std::byte*>(bytes), static_cast<int64_t>(sizes.size()), sizes.data(),
      strides.data(), 0, static_cast<int32_t>(dtype), static_cast<int32_t>(at::kCPU), 0, &tensor,
      static_cast<int32_t>(at::kMkldnn), reinterpret_cast<const uint8_t*>(layout.data()),
      static_cast<int64_t>(layout.size()));
  TORCH_CHECK(error == 0 && tensor != nullptr, "LibTorch cannot take over a packed tensor");
  const at::Tensor result = *tensor;
  aoti_torch_delete_tensor_object(tensor);
  return result;
}

}  // namespace kandinsky::tensor
