#include "pipelines/families/kandinsky_2/zero_image_file.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "io/model_dir.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "nn/encoders/clip_vision.h"
#include "pipelines/check_finite.h"
#include "pipelines/memory/component.h"
#include "pipelines/monitor.h"
#include "tensor/bridge.h"
#include "tensor/run_context.h"

namespace kandinsky::pipelines {
namespace {

constexpr std::string_view kTensor = "image_embeds";
constexpr std::string_view kWeightsKey = "image_encoder";

std::string place_beside(const io::ModelDir& prior) {
  return fmt::format("{}/{}", prior.path(), kZeroImageFile);
}

/// In the user's cache folder, which is created; empty if there is none.
std::optional<std::string> place_in_cache(std::string_view weights) {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string folder = variable("XDG_CACHE_HOME");
  if (folder.empty()) {
    if (variable("HOME").empty()) return std::nullopt;
    folder = variable("HOME") + "/.cache";
  }
  constexpr ::mode_t kOwnOnly = 0700;
  ::mkdir(folder.c_str(), kOwnOnly);  // errors are reported when the file is written
  folder += "/kandinsky";
  ::mkdir(folder.c_str(), kOwnOnly);
  return fmt::format("{}/{}-{}", folder, weights, kZeroImageFile);
}

/// weights: the digest that the file must have; empty: any.
at::Tensor read(const std::string& path, int64_t width, std::string_view weights) {
  const auto corrupt = [&](std::string_view what) {
    return Error(ErrorCode::kCorruptFile,
                 fmt::format("{}: {}; expected \"{}\" [1, {}]", path, what, kTensor, width));
  };
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  for (const io::MetadataEntry& entry : file.metadata()) {
    if (!weights.empty() && entry.key == kWeightsKey && entry.value != weights)
      throw corrupt("it was made by another image encoder");
  }
  const io::StoredTensor* const stored = file.find(kTensor);
  if (stored == nullptr) throw corrupt("it has other content");
  at::Tensor embeds = tensor::read_tensor(file, *stored).to(at::kFloat);
  if (embeds.sizes() != at::IntArrayRef({1, width}) || !embeds.isfinite().all().item<bool>())
    throw corrupt("its values are from another model, or corrupt");
  return embeds;
}

void write(const std::string& path, const at::Tensor& embeds, std::string_view weights) {
  const io::TensorView view{
      .name = kTensor,
      .dtype = io::DType::kF32,
      .shape = {embeds.sizes().data(), embeds.sizes().size()},
      .bytes = {static_cast<const std::byte*>(embeds.const_data_ptr()), embeds.nbytes()}};
  const io::MetadataEntry entry{.key = kWeightsKey, .value = weights};
  io::write_safetensors(path, {&view, 1}, {&entry, 1});
}

bool is_there(const std::string& path) {
  struct ::stat status = {};
  return ::stat(path.c_str(), &status) == 0;
}

at::Tensor encode(const Component<nn::ClipVisionEncoder>& component, const Monitor& monitor) {
  const tensor::RunScope scope([&](tensor::RunContext& context) {
    context.check = [&monitor] { monitor.check_cancelled(); };
  });
  at::Tensor embeds = component.streamed().zero_embeds().contiguous();
  check_finite(embeds, "image_encoder", at::kFloat);
  return embeds;
}

}  // namespace

at::Tensor load_zero_image(const ZeroImageSource& source) {
  const std::string beside = place_beside(source.prior);
  if (source.encoder == nullptr)
    return is_there(beside) ? read(beside, source.width, "") : at::Tensor();
  const std::string weights = source.encoder->digest();
  for (const std::optional<std::string>& place : {std::optional(beside), place_in_cache(weights)}) {
    if (!place || !is_there(*place)) continue;
    try {
      return read(*place, source.width, weights);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kOutOfMemory) throw;
      // It is computed again.
    }
  }
  return {};
}

at::Tensor make_zero_image(const ZeroImageSource& source, const Monitor& monitor) {
  const at::Tensor embeds = encode(*source.encoder, monitor);
  const std::string weights = source.encoder->digest();
  const std::string beside = place_beside(source.prior);
  try {
    write(beside, embeds, weights);
    return embeds;
  } catch (const Error&) {
    // Read-only, or full.
  }
  std::string problem = "there is no cache folder";
  if (const auto place = place_in_cache(weights)) {
    try {
      write(*place, embeds, weights);
      return embeds;
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  monitor.say(
      fmt::format("The embedding of the zero image can be kept neither as {} nor "
                  "elsewhere ({}): each start computes it anew.",
                  beside, problem));
  return embeds;
}

}  // namespace kandinsky::pipelines
