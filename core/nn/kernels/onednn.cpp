#include "nn/kernels/onednn.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/memory.h"
#include "base/out_of_memory.h"
#include "tensor/cpu.h"
#include "tensor/device.h"
#include "tensor/operator.h"
#include "tensor/packed_tensor.h"
#include "tensor/run_context.h"

namespace kandinsky::nn::onednn {
namespace {

struct Operators {
  tensor::Operator pack_convolution{"mkldnn::_reorder_convolution_weight", "", 6};
  tensor::Operator convolution{"mkldnn::_convolution_pointwise", "", 10};
  tensor::Operator convolution_add{"mkldnn::_convolution_pointwise", "binary", 13};
  tensor::Operator pack_linear{"mkldnn::_reorder_linear_weight", "", 2};
  tensor::Operator linear{"mkldnn::_linear_pointwise", "", 6};
  tensor::Operator linear_add{"mkldnn::_linear_pointwise", "binary", 5};

  bool exist() const {
    return pack_convolution.exists() && convolution.exists() && convolution_add.exists() &&
           pack_linear.exists() && linear.exists() && linear_add.exists();
  }
};

const Operators& operators() {
  static const Operators all;
  return all;
}

c10::IValue optional(const at::Tensor& tensor) {
  return tensor.defined() ? c10::IValue(tensor) : c10::IValue();
}

c10::IValue no_scalars() {
  return c10::impl::GenericList(c10::OptionalType::create(c10::NumberType::get()));
}

c10::IValue both(int64_t value) { return c10::List<int64_t>({value, value}); }

c10::IValue padding_of(const ConvGeometry& geometry) {
  return c10::List<int64_t>({geometry.row_padding, geometry.column_padding});
}

bool is_close(const at::Tensor& x, const at::Tensor& plain) {
  const double tolerance = plain.scalar_type() == at::kFloat ? 1e-5 : 3e-2;
  const at::Tensor difference = (x - plain).to(at::kFloat).abs().max();
  return difference.item<double>() <= tolerance * plain.to(at::kFloat).abs().max().item<double>();
}

bool gives_what_plain_operators_give(at::ScalarType dtype) {
  const auto numbers = [dtype](at::IntArrayRef shape) {
    return at::cos(at::arange(c10::multiply_integers(shape), at::kFloat)).view(shape).to(dtype);
  };
  try {
    const at::Tensor bias = numbers({32});
    const at::Tensor map = numbers({2, 16, 8, 8}).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor kernel = numbers({32, 16, 3, 3});
    const at::Tensor plain_map = at::conv2d(map, kernel, bias, {1, 1}, {1, 1});
    const ConvGeometry geometry{.stride = 1, .row_padding = 1, .column_padding = 1};
    const at::Tensor packed_kernel = pack_convolution(kernel, geometry);
    if (!is_close(convolution(map, packed_kernel, bias, geometry), plain_map) ||
        !is_close(convolution(map, packed_kernel, bias, geometry, {.addend = plain_map}),
                  plain_map * 2))
      return false;
    // Large enough for all threads, with as few and as many rows as networks have.
    const at::Tensor matrix = numbers({768, 512});
    const at::Tensor wide_bias = numbers({768});
    const at::Tensor packed_matrix = pack_linear(matrix);
    return std::ranges::all_of(std::array{1, 2, 77, 256}, [&](int64_t count) {
      const at::Tensor rows = numbers({count, 512});
      const at::Tensor plain_rows = at::linear(rows, matrix, wide_bias);
      return is_close(linear(rows, packed_matrix, wide_bias), plain_rows) &&
             is_close(linear(rows, packed_matrix, wide_bias, {.activation = "gelu"}),
                      at::gelu(plain_rows)) &&
             is_close(linear(rows, packed_matrix, wide_bias, {.addend = plain_rows}),
                      plain_rows * 2);
    });
  } catch (const c10::Error& error) {
    if (speaks_of_memory(error.what_without_backtrace())) throw;
    return false;  // this type is not supported
  }
}

}  // namespace

bool can_pack(const tensor::Placement& placement) {
  const at::ScalarType dtype = placement.dtype;
  if (!placement.speedups.packed_weights || !placement.device.is_cpu() ||
      (dtype != at::kFloat && dtype != at::kBFloat16))
    return false;
  static std::mutex mutex;
  static std::map<at::ScalarType, bool> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(dtype);
  if (found != known.end()) return found->second;
  return known[dtype] = operators().exist() && gives_what_plain_operators_give(dtype);
}

at::Tensor pack_convolution(const at::Tensor& weight, const ConvGeometry& geometry,
                            at::IntArrayRef map_sizes) {
  const c10::IValue sizes =
      map_sizes.empty() ? c10::IValue() : c10::IValue(c10::List<int64_t>(map_sizes));
  return operators().pack_convolution(
      {weight, padding_of(geometry), both(geometry.stride), both(1), 1, sizes});
}

PackedKernel::PackedKernel(const at::Tensor& prepared, const ConvGeometry& geometry)
    : geometry_(geometry), layouts_(std::make_unique<Layouts>()) {
  layouts_->latest_first.push_back({.weight = prepared, .uses = {}});
}

bool PackedKernel::packs_at_once(at::ScalarType dtype) {
  return dtype != at::kFloat && !tensor::has_bf16_tiles();
}

at::Tensor PackedKernel::prepare(const at::Tensor& weight, const ConvGeometry& geometry) {
  return packs_at_once(weight.scalar_type()) ? pack_convolution(weight, geometry) : weight;
}

at::Tensor PackedKernel::for_maps(const at::Tensor& x) const {
  std::vector<Layout>& layouts = layouts_->latest_first;
  if (packs_at_once(x.scalar_type())) return layouts.front().weight;
  const Use use{.batch = x.size(0), .width = x.size(3), .threads = at::get_num_threads()};
  const std::lock_guard lock(layouts_->mutex);
  const auto known = std::ranges::find_if(layouts, [&use](const Layout& layout) {
    return std::ranges::find(layout.uses, use) != layout.uses.end();
  });
  if (known != layouts.end()) {
    std::rotate(layouts.begin(), known, known + 1);
  } else {
    add(use, x.sizes());
  }
  return layouts.front().weight;
}

void PackedKernel::add(const Use& use, at::IntArrayRef map_sizes) const {
  std::vector<Layout>& layouts = layouts_->latest_first;
  const at::Tensor latest = layouts.front().weight;
  Layout layout;
  if (latest.is_mkldnn()) {
    // Any numbers show the order, and packing them takes a fraction of unpacking the weight.
    const auto plain = at::TensorOptions().dtype(latest.scalar_type());
    const at::Tensor any = pack_convolution(at::empty(latest.sizes(), plain), geometry_, map_sizes);
    const auto same = std::ranges::find_if(layouts, [&any](const Layout& known) {
      return tensor::have_same_order(known.weight, any);
    });
    if (same != layouts.end()) {
      layout = *same;
      layouts.erase(same);
    }
  }
  if (!layout.weight.defined()) {
    layout.weight =
        pack_convolution(latest.is_mkldnn() ? latest.to_dense() : latest, geometry_, map_sizes);
  }
  layout.uses.push_back(use);
  layouts.insert(layouts.begin(), layout);
  for (Layout& known : layouts)
    std::erase_if(known.uses, [&use](const Use& old) { return old.width != use.width; });
  std::erase_if(layouts, [](const Layout& known) { return known.uses.empty(); });
  const size_t most = tensor::run_context().low_memory ? 1 : 2;
  layouts.resize(std::min(layouts.size(), most));
  // What this step has freed lies between the packed weights of its layers.
  trim_heap();
}

at::Tensor pack_linear(const at::Tensor& weight) {
  return operators().pack_linear({weight, c10::IValue()});
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& packed_weight, const at::Tensor& bias,
                       const ConvGeometry& geometry, const Epilogue& epilogue) {
  const c10::IValue padding = padding_of(geometry);
  const c10::IValue stride = both(geometry.stride);
  if (epilogue.addend.defined()) {
    return operators().convolution_add({x, epilogue.addend, packed_weight, optional(bias), padding,
                                        stride, both(1), 1, "add", c10::IValue(), c10::IValue(),
                                        no_scalars(), c10::IValue()});
  }
  return operators().convolution({x, packed_weight, optional(bias), padding, stride, both(1), 1,
                                  epilogue.activation, no_scalars(), "none"});
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& packed_weight, const at::Tensor& bias,
                  const Epilogue& epilogue) {
  if (epilogue.addend.defined())
    return operators().linear_add({x, epilogue.addend, packed_weight, optional(bias), "add"});
  return operators().linear(
      {x, packed_weight, optional(bias), epilogue.activation, no_scalars(), "none"});
}

}  // namespace kandinsky::nn::onednn
