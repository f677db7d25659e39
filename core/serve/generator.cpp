#include "serve/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "jobs/digests.h"
#include "jobs/generate.h"
#include "jobs/parameters.h"
#include "serve/reply.h"

namespace kandinsky::serve {
namespace {

using Wish = Task::Wish;

constexpr std::int64_t kMostPixels = std::int64_t{1} << 27U;  ///< of one request, as of one image

/// White where the image is transparent.
Image inverted_alpha(const Image& image) {
  if (image.channels != 4) {
    throw RequestError(kUnprocessable,
                       "mask: it has no transparent pixels, which would be inpainted", "mask");
  }
  Image mask{.pixels = {}, .width = image.width, .height = image.height, .channels = 1};
  for (std::size_t at = 3; at < image.pixels.size(); at += 4)
    mask.pixels.push_back(static_cast<std::uint8_t>(255 - image.pixels[at]));
  return mask;
}

bool has_holes(const Image& image) {
  if (image.channels != 4) return false;
  for (std::size_t at = 3; at < image.pixels.size(); at += 4) {
    if (image.pixels[at] == 0) return true;
  }
  return false;
}

/// Inpaints what is transparent: in the mask, or without one in the image, which is changed as a
/// whole if nothing in it is.
void inpaint_transparent(jobs::Job& job) {
  if (job.masks.empty()) {
    if (job.images.empty() || !has_holes(job.images.front())) return;
    job.masks = job.images;
    jobs::choose_strength_under_mask(job.settings);
  }
  for (Image& mask : job.masks) mask = inverted_alpha(mask);
}

}  // namespace

/// Receives the engine's progress during a task, and returns the action.
class Generator::Watch {
 public:
  explicit Watch(Task& task, std::size_t batches, const jobs::Settings& settings)
      : task_(task),
        batches_(batches),
        prior_steps_(settings.number("prior_num_inference_steps")),
        steps_(settings.number("num_inference_steps")) {}

  void begin_batch(std::size_t batch) {
    batch_ = batch;
    is_denoised_ = false;
  }

  kandinsky_action update(const kandinsky_progress& now) {
    const bool denoises = now.stage == std::string_view("denoise");
    is_denoised_ = is_denoised_ || denoises;
    double done = is_denoised_ ? prior_steps_ : 0;
    if (now.stage == std::string_view("prior")) done = now.step;
    if (denoises) done += now.step;
    if (now.stage == std::string_view("decode")) done += steps_;
    const double part = std::min(done / (prior_steps_ + steps_ + 1), 1.0);
    Latents latents;
    if (now.latents != nullptr) {
      std::size_t count = 1;
      for (const std::int32_t side : now.shape) count *= static_cast<std::size_t>(side);
      latents.values.assign(now.latents, now.latents + count);
      std::ranges::copy(now.shape, latents.shape.begin());
    }
    task_.set_progress(
        {.stage = now.stage,
         .step = now.step,
         .steps = now.steps,
         .done = (static_cast<double>(batch_) + part) / static_cast<double>(batches_),
         .batch = batch_},
        latents.values.empty() ? nullptr : &latents);
    switch (task_.wish.load()) {
      case Wish::kNone:
        return KANDINSKY_CONTINUE;
      case Wish::kCancel:
        return KANDINSKY_CANCEL;
      default:
        // There is no preview before the sampler's first step.
        return is_denoised_ ? KANDINSKY_FINISH : KANDINSKY_CANCEL;
    }
  }

 private:
  Task& task_;
  const std::size_t batches_;
  const double prior_steps_;
  const double steps_;
  std::size_t batch_ = 0;
  bool is_denoised_ = false;
};

Generator::Generator(const jobs::Settings& settings)
    : engine_(settings.options("engine")),
      info_(engine_.info()),
      model_(jobs::folder_name(settings.text("model_dir"))),
      hash_(jobs::model_hash(settings.text("model_dir"))) {}

std::optional<Image> Generator::preview(const Task& task) const {
  std::shared_ptr<const Projection> projection;
  {
    const std::lock_guard lock(mutex_);
    projection = projection_;
  }
  const Latents latents = task.latents();
  if (!projection || latents.values.empty()) return {};
  return projection->image(latents, info_.latent_factor);
}

void Generator::work(Task& task) {
  if (!task.order()) {
    engine_.unload();
    return;
  }
  engine_.set_message([&](const char* message) { task.add_remark(message); });
  engine_.set_progress({});
  for (const std::string& remark : task.order()->remarks) task.add_remark(remark);
  measure_previews(task);
  generate(task);
}

void Generator::measure_previews(Task& task) {
  if (projection_) return;
  try {
    auto measured = std::make_shared<const Projection>(engine_);
    const std::lock_guard lock(mutex_);
    projection_ = std::move(measured);
  } catch (const StatusError& error) {
    if (error.status() != KANDINSKY_CANCELLED)
      task.add_remark(fmt::format("no preview: {}", error.what()));
  }
}

jobs::Job Generator::read_images(Task& task) const {
  try {
    jobs::Request request = task.order()->request;
    request.load_images();
    if (task.order()->alpha_is_mask) inpaint_transparent(request.job);
    return std::move(request.job);
  } catch (const StatusError& error) {
    // Any error in them is the request's.
    const bool is_theirs = error.status() != KANDINSKY_OUT_OF_MEMORY;
    throw RequestError(is_theirs ? kUnprocessable : http_status(error.status()), error.what());
  }
}

void Generator::check_size(const jobs::Job& job, std::size_t count, std::size_t batch_size) {
  const std::int64_t pixels =
      std::int64_t{job.size.width} * job.size.height * static_cast<std::int64_t>(count);
  if (pixels > kMostPixels) {
    throw RequestError(kUnprocessable,
                       fmt::format("{} images of {} x {} are {} pixels, one request may have {}",
                                   count, job.size.width, job.size.height, pixels, kMostPixels));
  }
  try {
    // Before memory for the images is allocated.
    engine_.plan_memory(job.size.width, job.size.height, static_cast<std::int32_t>(batch_size));
  } catch (const StatusError& error) {
    if (error.status() != KANDINSKY_UNSUPPORTED) throw;  // on an accelerator there is no plan
  }
}

void Generator::generate(Task& task) {
  const Order& order = *task.order();
  jobs::Job job = read_images(task);
  const std::size_t count = order.seeds.size();
  const std::size_t batches = (count + order.batch_size - 1) / order.batch_size;
  Watch watch(task, batches, job.settings);
  engine_.set_progress([&](const kandinsky_progress& progress) { return watch.update(progress); });
  jobs::set_size(job, info_);
  check_size(job, count, order.batch_size);
  for (std::size_t batch = 0; batch < batches;) {
    const auto first = static_cast<std::ptrdiff_t>(batch * order.batch_size);
    const auto last = static_cast<std::ptrdiff_t>(std::min(count, (batch + 1) * order.batch_size));
    job.seeds.assign(order.seeds.begin() + first, order.seeds.begin() + last);
    if (!order.variation_seeds.empty()) {
      job.variation_seeds.assign(order.variation_seeds.begin() + first,
                                 order.variation_seeds.begin() + last);
    }
    jobs::fill_lists(job);
    watch.begin_batch(batch);
    jobs::Result result;
    try {
      result = jobs::generate(engine_, job, true, false);
    } catch (const StatusError& error) {
      if (error.status() != KANDINSKY_CANCELLED || task.wish == Wish::kCancel) throw;
      // The cancel was meant for the previous task, which had already ended.
      if (task.wish == Wish::kNone) continue;
    }
    ++batch;
    for (std::size_t i = 0; result.images && i < job.seeds.size(); ++i) {
      const std::string parameters = jobs::parameters_text(job, i, model_, info_);
      const bool keeps_them = order.format == "png";
      task.add_image(
          {.seed = job.seeds[i],
           .variation_seed = job.variation_seeds.empty() ? 0 : job.variation_seeds[i],
           .bytes = encode_image(order.format, result.image(i), job.size.width, job.size.height,
                                 keeps_them ? parameters : std::string()),
           .parameters = parameters,
           .width = job.size.width,
           .height = job.size.height});
    }
    if (task.wish == Wish::kFinish) return;
    Wish skipped = Wish::kSkip;
    task.wish.compare_exchange_strong(skipped, Wish::kNone);
  }
}

}  // namespace kandinsky::serve
