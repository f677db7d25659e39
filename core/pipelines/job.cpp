#include "pipelines/job.h"

#include <cstdint>

#include "io/images/image.h"
#include "options/requests.h"
#include "pipelines/geometry.h"

namespace kandinsky::pipelines {

void check_job(const Job& job, const Geometry& geometry) {
  if (job.prompts != nullptr) job.prompts->check();
  if (job.images != nullptr) {
    check_batch_size(static_cast<int64_t>(job.images->size()));
    for (const io::Image& image : *job.images) io::check_image(image, "image");
  }
  if (job.denoise != nullptr) job.denoise->check();
  if (job.tiling) geometry.check_tiling(job.width, job.height);
  if (job.has_size()) check_size(job.width, job.height);
}

}  // namespace kandinsky::pipelines
