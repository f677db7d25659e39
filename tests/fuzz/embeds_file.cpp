/// A file of saved embeddings.
#include <ATen/ops/equal.h>

#include "base/limits.h"
#include "fuzz/files.h"
#include "pipelines/embeds.h"

namespace fuzz = kandinsky::fuzz;
using kandinsky::pipelines::Embeds;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::MemoryFile file;
  file.write({reinterpret_cast<const char*>(data), size});
  fuzz::accepts([&] {
    const Embeds embeds = kandinsky::pipelines::load_embeds(file.path());
    fuzz::require(
        embeds.batch_size() >= 1 && embeds.batch_size() <= kandinsky::limits::kMaxEmbedsRows,
        "there are rows, and not too many");
    for (const auto& [name, tensor] : embeds.tensors) {
      fuzz::require(tensor.size(0) == embeds.batch_size() && tensor.scalar_type() == at::kFloat &&
                        tensor.isfinite().all().item<bool>(),
                    "rows are finite fp32");
      fuzz::require(&embeds.at(name) == &tensor, "a tensor is found by its name");
    }
    const std::string path = folder.path("copy.safetensors");
    kandinsky::pipelines::save_embeds(embeds, path);
    const Embeds copy = kandinsky::pipelines::load_embeds(path);
    fuzz::require(copy.tensors.size() == embeds.tensors.size(), "a copy has as many tensors");
    for (const auto& [name, tensor] : embeds.tensors)
      fuzz::require(at::equal(copy.at(name), tensor), "a copy's tensor is the same");
    const std::int64_t last = embeds.batch_size() - 1;
    fuzz::require(kandinsky::pipelines::select_embeds(embeds, {&last, 1}).batch_size() == 1,
                  "a row can be taken");
  });
  return 0;
}
