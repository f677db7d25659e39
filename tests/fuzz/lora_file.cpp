/// A LoRA, as a safetensors file whose header is the input: two bytes say how much data follows it.
#include <cmath>

#include "fuzz/safetensors.h"
#include "tensor/adapters.h"

namespace fuzz = kandinsky::fuzz;
namespace tensor = kandinsky::tensor;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::MemoryFile file;
  fuzz::Input input(data, size);
  file.write(fuzz::safetensors_of(&input));
  fuzz::accepts([&] {
    const auto adapter = tensor::AdapterFile::open(file.path());
    fuzz::require(!adapter.pairs().empty(), "a LoRA changes something");
    tensor::Adapters adapters;
    for (const auto& [weight, pair] : adapter.pairs()) {
      fuzz::require(pair.down != nullptr && pair.up != nullptr && std::isfinite(pair.scale),
                    "a pair is whole:", weight);
      const std::int64_t shape[] = {pair.up->shape[0], pair.down->shape[1]};
      adapters.know(weight, shape, "unet");
      fuzz::accepts([&] {
        const at::Tensor delta = adapter.delta(pair);
        fuzz::require(delta.sizes() == at::IntArrayRef(shape),
                      "it has the weight's shape:", weight);
      });
    }
    adapters.choose({{.path = file.path()}});
    fuzz::require(!adapters.key_for([](std::string_view) { return true; }).empty(),
                  "one that is chosen shows");
  });
  return 0;
}
