#include "parity/reference.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <set>
#include <sstream>

#include "base/error.h"
#include "io/model_dir.h"
#include "tensor/bridge.h"

namespace kandinsky::parity {

namespace {

std::string shape_text(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes() << " " << tensor.scalar_type();
  return text.str();
}

}  // namespace

Reference::Reference(std::string_view file)
    : file_(io::SafetensorsFile::open(std::string(KANDINSKY_TESTS_DIR "/parity/references/") +
                                      std::string(file) + ".safetensors")) {}

const io::StoredTensor& Reference::stored(const std::string& name) const {
  const io::StoredTensor* found = file_.find(name);
  if (found == nullptr) {
    throw Error(ErrorCode::kNotFound,
                "no " + name + " in " + std::string(file_.path()) + ": record it anew");
  }
  return *found;
}

at::Tensor Reference::tensor(const std::string& name) const {
  return tensor::read_tensor(file_, stored(name));
}

std::string Reference::text(const std::string& name) const {
  std::string text(stored(name).size, '\0');
  file_.read(stored(name), 0, std::as_writable_bytes(Span<char>(text)));
  return text;
}

int64_t Reference::integer(const std::string& name) const { return tensor(name).item<int64_t>(); }

double Reference::real(const std::string& name) const { return tensor(name).item<double>(); }

std::vector<std::string> Reference::cases() const {
  std::set<std::string> cases;
  for (const io::StoredTensor& tensor : file_.tensors()) {
    cases.emplace(tensor.name.substr(0, tensor.name.find('/')));
  }
  return {cases.begin(), cases.end()};
}

std::string tiny_folder(std::string_view path) {
  return std::string(KANDINSKY_TINY_MODELS_DIR "/") + std::string(path);
}

std::string demo_folder() { return KANDINSKY_TESTS_DIR "/../demo/model/kandinsky-demo"; }

Component open_component(std::string_view model, std::string_view component) {
  const io::ComponentFiles files = io::ModelDir::open(tiny_folder(model)).weights(component);
  return {io::JsonConfig::load(files.config_path()),
          tensor::Weights::open(files, tensor::Placement{})};
}

io::JsonConfig open_config(std::string_view model, std::string_view component) {
  return io::JsonConfig::load(
      io::ModelDir::open(tiny_folder(model)).component(component).config_path());
}

void expect_close(const Tolerance& tolerance, std::string_view what, const at::Tensor& actual,
                  const at::Tensor& expected) {
  ASSERT_EQ(shape_text(actual), shape_text(expected)) << tolerance.stage << " " << what;
  const double range = expected.abs().max().item<double>();
  const double max_abs = (actual - expected).abs().max().item<double>();
  std::cout << "parity " << tolerance.stage << " " << what << ": max_abs " << std::setprecision(2)
            << max_abs << " of range " << std::setprecision(3) << range << " ("
            << std::setprecision(2) << max_abs / range << ")\n";
  // Written so that a NaN on either side fails.
  EXPECT_TRUE(max_abs <= tolerance.relative * range)
      << tolerance.stage << " " << what << ": the largest difference is " << max_abs / range
      << " of the range, the tolerance " << tolerance.relative;
}

void expect_equal(std::string_view what, const at::Tensor& actual, const at::Tensor& expected) {
  ASSERT_EQ(shape_text(actual), shape_text(expected)) << what;
  EXPECT_TRUE(at::equal(actual, expected))
      << what << ": " << (actual != expected).sum().item<int64_t>() << " of " << actual.numel()
      << " differ";
}

void expect_same_image(std::string_view what, const at::Tensor& actual,
                       const at::Tensor& expected) {
  ASSERT_EQ(shape_text(actual), shape_text(expected)) << what;
  const at::Tensor steps = (actual.to(at::kInt) - expected.to(at::kInt)).abs();
  const int largest = steps.max().item<int>();
  const double share =
      static_cast<double>((steps > 0).sum().item<int64_t>()) / static_cast<double>(steps.numel());
  std::cout << "parity image " << what << ": max " << largest << "/255, differing "
            << std::setprecision(2) << 100 * share << " %\n";
  EXPECT_LE(largest, kImageSteps) << what;
  EXPECT_LE(share, kImageShare) << what;
}

}  // namespace kandinsky::parity
