#include "pipelines/families/kandinsky_2/image_embeds.h"

#include <ATen/ops/cat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "io/images/image.h"
#include "nn/encoders/clip_vision.h"
#include "pipelines/check_finite.h"
#include "pipelines/families/kandinsky_2/folders.h"
#include "pipelines/images/encode_images.h"
#include "pipelines/monitor.h"
#include "pipelines/text/prompt_cache.h"

namespace kandinsky::pipelines {

at::Tensor image_embeds(const ImageModels& models, const std::vector<io::Image>& images,
                        const Monitor& monitor) {
  const char* const stage = "image_encoder";
  const auto steps = static_cast<int>(images.size());
  bool has_started = false;
  const auto start = [&] {
    if (!std::exchange(has_started, true)) monitor.report(stage, 0, steps);
  };
  const std::string adapters = models.encoder.adapters();
  std::optional<ImageProcessor> processor;
  std::vector<at::Tensor> rows;
  for (const io::Image& image : images) {
    const ImageKey key{.pixels = Sha256().add(image.pixels.data(), image.pixels.size()).hex(),
                       .width = image.width,
                       .height = image.height,
                       .channels = image.channels,
                       .adapters = adapters};
    const at::Tensor* const known =
        models.cache != nullptr ? models.cache->image_embeds.find(key) : nullptr;
    if (known != nullptr) {
      rows.push_back(*known);
    } else {
      rows.push_back(models.encoder.run_finite(monitor, [&](const nn::ClipVisionEncoder& encoder) {
        start();
        if (!processor) processor.emplace(read_image_processor(models.prior));
        at::Tensor row = encode_image(encoder, *processor, image);
        check_finite(row, stage, models.encoder.placement().dtype);
        return row;
      }));
      if (models.cache != nullptr) models.cache->image_embeds.put(key, rows.back());
    }
    start();
    monitor.report(stage, static_cast<int>(rows.size()), steps);
  }
  return at::cat(rows);
}

}  // namespace kandinsky::pipelines
