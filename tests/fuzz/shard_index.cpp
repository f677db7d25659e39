/// The index of a component whose weights lie in several files.
#include <algorithm>

#include "fuzz/files.h"
#include "io/model_dir.h"

namespace fuzz = kandinsky::fuzz;
using kandinsky::io::ModelDir;

namespace {

struct Model : fuzz::Folder {
  Model() {
    write("model_index.json",
          R"({"_class_name": "KandinskyPipeline", "unet": ["diffusers", "UNet2DConditionModel"]})");
    make_folder("unet");
    write("unet/config.json", "{}");
    for (const char* shard : {"unet/a.safetensors", "unet/b.safetensors",
                              "unet/diffusion_pytorch_model-00001-of-00002.safetensors"})
      write(shard, "");
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Model model;
  static const ModelDir opened = ModelDir::open(model.path());
  model.write("unet/diffusion_pytorch_model.safetensors.index.json",
              {reinterpret_cast<const char*>(data), size});
  fuzz::accepts([&] {
    const auto files = opened.weights("unet");
    fuzz::require(!files.weights().empty(), "weights are files");
    fuzz::require(std::is_sorted(files.weights().begin(), files.weights().end()),
                  "in the order of their names");
    for (const std::string_view path : files.weights()) {
      const std::string folder = model.path("unet/");
      fuzz::require(
          path.starts_with(folder) && path.find('/', folder.size()) == std::string_view::npos,
          "a shard lies in its component's folder:", path);
    }
  });
  return 0;
}
