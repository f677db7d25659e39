/// A model's folder: its index, then for the component "unet" config and shard index, and a prior
/// beside it.
#include "fuzz/files.h"
#include "io/json_config.h"
#include "io/model_dir.h"

namespace fuzz = kandinsky::fuzz;
using kandinsky::io::ModelDir;

namespace {

struct Models : fuzz::Folder {
  Models() {
    for (const char* folder : {"m/unet", "m/scheduler", "m/movq", "m-prior/prior"})
      make_folder(folder);
    write("m/movq/config.json", "{}");
    write("m/movq/diffusion_pytorch_model.safetensors", "");
    write("m/unet/a.safetensors", "");
    write("m-prior/model_index.json", R"({"_class_name": "KandinskyPriorPipeline"})");
  }
};

/// An empty part of the input leaves the file out.
void put(const Models& models, const char* name, std::string_view content) {
  if (content.empty()) {
    models.remove(name);
  } else {
    models.write(name, content);
  }
}

void read_all(const ModelDir& dir) {
  fuzz::require(!dir.name().empty(), "a folder has a name");
  for (const auto& component : dir.components()) {
    fuzz::require(component.name.find('/') == std::string_view::npos && component.name != "..",
                  "a component lies in the model's folder:", component.name);
    fuzz::require(dir.find(component.name) == &component, "a component is found by its name");
    fuzz::accepts([&] {
      const auto files = dir.component(component.name);
      fuzz::require(files.weights().empty() && files.folder().starts_with(dir.path()),
                    "files are the component's");
      (void)kandinsky::io::JsonConfig::load(files.config_path()).keys();
    });
    fuzz::accepts([&] {
      fuzz::require(!dir.weights(component.name).weights().empty(), "weights are files");
    });
    fuzz::accepts([&] { (void)dir.optional_component(component.name); });
  }
  fuzz::accepts([&] {
    const auto prior = dir.sibling("-prior");
    fuzz::require(prior.has_value() && prior->name() == "m-prior",
                  "the prior stands beside the model");
  });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Models models;
  fuzz::Input input(data, size);
  put(models, "m/model_index.json", input.part());
  put(models, "m/unet/config.json", input.part());
  put(models, "m/unet/diffusion_pytorch_model.safetensors.index.json", input.part());
  put(models, "m/scheduler/scheduler_config.json", input.part());
  put(models, "m-prior/model_index.json", input.part());
  fuzz::accepts([&] {
    const ModelDir dir = ModelDir::open(models.path("m"));
    read_all(dir);
  });
  return 0;
}
