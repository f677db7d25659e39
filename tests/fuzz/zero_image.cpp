/// The file that keeps the embedding of the zero image. The input is its header; two bytes say how
/// much data follows it.
#include <ATen/ops/isfinite.h>

#include "fuzz/safetensors.h"
#include "io/model_dir.h"
#include "pipelines/families/kandinsky_2/zero_image_file.h"

namespace fuzz = kandinsky::fuzz;
namespace pipelines = kandinsky::pipelines;

namespace {

struct Prior : fuzz::Folder {
  Prior() { write("model_index.json", R"({"_class_name": "KandinskyPriorPipeline"})"); }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Prior prior;
  fuzz::Input input(data, size);
  prior.write(pipelines::kZeroImageFile, fuzz::safetensors_of(&input));
  constexpr std::int64_t kWidth = 4;
  fuzz::accepts([&] {
    const auto folder = kandinsky::io::ModelDir::open(prior.path());
    const at::Tensor embeds =
        pipelines::load_zero_image({.prior = folder, .width = kWidth, .encoder = nullptr});
    fuzz::require(
        embeds.sizes() == at::IntArrayRef({1, kWidth}) && embeds.isfinite().all().item<bool>(),
        "it is a row of finite numbers");
  });
  return 0;
}
