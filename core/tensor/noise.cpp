#include "tensor/noise.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>

namespace kandinsky::tensor {

NoiseSource::NoiseSource(const std::vector<uint64_t>& seeds) {
  generators_.reserve(seeds.size());
  for (const uint64_t seed : seeds)
    generators_.push_back(at::make_generator<at::CPUGeneratorImpl>(seed));
}

at::Tensor NoiseSource::draw(size_t index, at::IntArrayRef shape) {
  return at::randn(shape, generators_.at(index),
                   at::TensorOptions().dtype(at::kFloat).device(at::kCPU));
}

at::Tensor NoiseSource::draw_all(at::IntArrayRef tail) {
  std::vector<int64_t> shape{1};
  shape.insert(shape.end(), tail.begin(), tail.end());
  std::vector<at::Tensor> rows;
  rows.reserve(generators_.size());
  for (size_t index = 0; index < generators_.size(); ++index) rows.push_back(draw(index, shape));
  return at::cat(rows);
}

}  // namespace kandinsky::tensor
