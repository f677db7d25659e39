#include "jobs/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "jobs/canvas.h"
#include "jobs/digests.h"
#include "jobs/generate.h"
#include "jobs/job.h"
#include "jobs/limits.h"
#include "jobs/make_embeds.h"
#include "jobs/manifest.h"
#include "jobs/parameters.h"
#include "jobs/request.h"
#include "jobs/settings.h"

namespace kandinsky::jobs {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// Texts of so many lines are encoded at once, before the UNet is loaded again if not everything
/// fits into memory. The prompt cache holds four times as many.
constexpr std::size_t kEncodedAtOnce = 16;
/// After so many failures that no line caused, the rest would fail as well.
constexpr int kMostFailuresInARow = 3;
constexpr std::size_t kDigestDigits = 20;

/// Removes temporary files of a killed process. Other processes may be writing theirs.
void remove_old_parts(const std::string& folder) {
  std::error_code error;
  const auto limit = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const fs::path& path = entry->path();
    std::error_code ignored;
    if (path.filename().string().starts_with(".kandinsky-") && path.extension() == ".part" &&
        fs::last_write_time(path, ignored) < limit)
      fs::remove(path, ignored);
  }
}

/// A seed in the hosts' range, from a text.
std::uint64_t seed_of(const std::string& text) {
  constexpr std::size_t kDigits = 8;
  return std::stoull(sha256(text).substr(0, kDigits), nullptr, 16);
}

bool is_own_fault(kandinsky_status status) {
  return status == KANDINSKY_INVALID_ARGUMENT || status == KANDINSKY_UNSUPPORTED ||
         status == KANDINSKY_OUT_OF_MEMORY;
}

std::string texts_of(const Job& job) {
  return fmt::format("{}\n{}\n{}", job.prompt.value_or(""), job.negative_prompt.value_or(""),
                     job.negative_prior_prompt.value_or(""));
}

/// The common settings of lines that are generated together, beginning with model and size.
std::string group_of(const Request& request) {
  const Job& job = request.job;
  std::string options;
  for (const auto& [option, image] : request.option_images) options += option + '\n';
  return fmt::format("{}\n{}x{}\n{}{}{}{}{}{}{}", job.settings.key("engine"), job.width.value_or(0),
                     job.height.value_or(0), job.settings.key("image_to_image"), options,
                     job.negative_prompt.has_value(), job.negative_prior_prompt.has_value(),
                     bool(request.image), bool(request.mask), job.mix.empty());
}

double work_of(const Job& job, std::int32_t native_size) {
  return job.settings.number("num_inference_steps") * job.width.value_or(native_size) *
         job.height.value_or(native_size);
}

/// One job for images with common settings.
template <typename Images>
Job together(const Images& images) {
  Job all = images.front().request.job;
  std::vector<std::string> prompts;
  std::vector<std::string> negatives;
  std::vector<std::string> prior_negatives;
  all.seeds.clear();
  all.variation_seeds.clear();
  all.images.clear();
  all.masks.clear();
  for (const auto& image : images) {
    const Job& job = image.request.job;
    const auto append = [](auto& list, const auto& more) {
      list.insert(list.end(), more.begin(), more.end());
    };
    append(all.seeds, job.seeds);
    append(all.variation_seeds, job.variation_seeds);
    append(all.images, job.images);
    append(all.masks, job.masks);
    prompts.push_back(job.prompt.value_or(""));
    negatives.push_back(job.negative_prompt.value_or(""));
    prior_negatives.push_back(job.negative_prior_prompt.value_or(""));
  }
  for (const auto& [option, source] : images.front().request.option_images) {
    std::vector<kandinsky::Image> of_all;
    for (const auto& image : images)
      of_all.push_back(image.request.job.settings.images(option).front());
    all.settings.set(option, std::move(of_all));
  }
  fill_lists(all);
  all.settings.set("prompts", prompts);
  if (all.negative_prompt) all.settings.set("negative_prompts", negatives);
  if (all.negative_prior_prompt) all.settings.set("negative_prior_prompts", prior_negatives);
  return all;
}

}  // namespace

struct Worker::Model {
  explicit Model(const Settings& settings) : engine(settings.options("engine")) {
    const std::string dir = settings.text("model_dir");
    const kandinsky_engine_info info = engine.info();
    name = folder_name(dir);
    weights =
        fmt::format("{}-{}\n{}", folder_digest(dir), folder_digest(info.prior_dir), info.changes);
    if (info.inpaint_dir[0] != '\0') inpaint_weights = folder_digest(info.inpaint_dir);
  }
  Engine engine;
  std::string name;
  std::string weights;
  std::string inpaint_weights;
};

struct Worker::Image {
  const Line* line = nullptr;
  Request request;
};

Worker::Worker(RequestReader reader, std::string output, const std::string& manifest,
               std::size_t threads, Reports reports)
    : reader_(std::move(reader)),
      output_(std::move(output)),
      threads_(threads),
      manifest_(output_, manifest),
      reports_(std::move(reports)) {
  remove_old_parts(output_);
}

Worker::~Worker() = default;

Worker::Model& Worker::model_of(const Request& request) {
  const Settings& settings = request.job.settings;
  std::unique_ptr<Model>& model = models_[settings.key("engine")];
  if (!model) {
    auto opened = std::make_unique<Model>(settings);
    opened->engine.set_progress(reports_.progress);
    opened->engine.set_message([this](const char* message) {
      if (said_.insert(message).second) reports_.message(message);
    });
    model = std::move(opened);
  }
  return *model;
}

void Worker::use(Model& model) {
  if (used_ == &model) return;
  if (used_ != nullptr) used_->engine.unload();
  const std::lock_guard lock(mutex_);
  used_ = &model;
}

void Worker::cancel() {
  const std::lock_guard lock(mutex_);
  if (used_ != nullptr) used_->engine.cancel();
}

Request Worker::read(const std::string& json) {
  Request request = reader_.read(json);
  Job& job = request.job;
  const bool varies = job.settings.number("variation_strength") > 0;
  // A missing seed is derived from the request, so that it is the same in any run and file.
  const std::string source = request.id.empty() ? canonical_of(request) : request.id;
  if (job.seeds.empty()) job.seeds = {seed_of("seed " + source)};
  if (job.variation_seeds.empty() && varies)
    job.variation_seeds = {seed_of("variation seed " + source)};
  return request;
}

std::string Worker::canonical_of(const Request& request) {
  return canonical(request, [&](const ImageSource& source) { return digest_of(source); });
}

std::string Worker::digest_of(const ImageSource& source) {
  if (source.path.empty()) return sha256(source.uri);
  std::string& digest = digests_[source.path];
  if (digest.empty()) digest = sha256_of_file(source.path, kMaxImageFileBytes);
  return digest;
}

void Worker::check_group(Model& model, Request request) {
  // Any image works for the check: the request's image is read when it runs. A side that the
  // request leaves out, which that image decides, is the model's own here.
  Job& job = request.job;
  set_size(job, model.engine.info());
  const kandinsky::Image dot{.pixels = {0}, .width = 1, .height = 1, .channels = 1};
  if (request.image) job.images = {dot};
  if (request.mask) {
    // All of it is inpainted: that nothing is would be remarked.
    const bool inverts = job.settings.is_changed("invert_mask");
    job.masks = {dot};
    job.masks.front().pixels = {inverts ? std::uint8_t{0} : std::uint8_t{255}};
  }
  // Hints have a minimum size.
  constexpr std::int32_t kSide = 8;
  const kandinsky::Image square{.pixels = std::vector<std::uint8_t>(kSide * kSide),
                                .width = kSide,
                                .height = kSide,
                                .channels = 1};
  for (const auto& [option, image] : request.option_images)
    job.settings.set(option, std::vector{square});
  fill_lists(job);
  model.engine.check_options(task_options(job, request.image ? "image_to_image" : "text_to_image"));
}

Line Worker::check(std::size_t number, std::string json) {
  Request request = read(json);
  Model& model = model_of(request);
  Line line{.number = number, .json = std::move(json), .id = {}, .request = {}};
  line.request =
      sha256(fmt::format("kandinsky {}\n{}\n{}\n{}", kandinsky_version(), model.weights,
                         request.mask ? model.inpaint_weights : "", canonical_of(request)))
          .substr(0, kDigestDigits);
  line.id = request.id.empty() ? line.request : request.id;
  line.texts = std::hash<std::string>()(texts_of(request.job));
  line.work = work_of(request.job, model.engine.info().native_size);
  const std::string group = group_of(request);
  if (groups_.count(group) == 0) check_group(model, std::move(request));
  line.group = &*groups_.insert(group).first;
  return line;
}

void Worker::run(std::vector<Line> lines, const std::function<void(const Outcome&)>& done) {
  done_ = &done;
  failures_in_a_row_ = 0;
  // By model, then by size, then by texts; otherwise in the given order.
  std::unordered_map<std::string, std::size_t> first;
  const auto place = [&](const Line& line) {
    const std::string key = fmt::format("{} {}", fmt::ptr(line.group), line.texts);
    return first.try_emplace(key, line.number).first->second;
  };
  for (const Line& line : lines) place(line);
  std::ranges::sort(lines, {}, [&](const Line& line) {
    return std::tuple(std::string_view(*line.group), place(line), line.number);
  });
  for (auto begin = lines.begin(); begin != lines.end();) {
    const auto end = std::find_if(begin, lines.end(),
                                  [&](const Line& line) { return line.group != begin->group; });
    run_group({begin, end});
    begin = end;
  }
}

void Worker::run_group(std::span<const Line> lines) {
  while (!lines.empty()) {
    const std::size_t count = std::min(lines.size(), std::max(kEncodedAtOnce, threads_));
    std::vector<Image> images = read_images(lines.first(count));
    lines = lines.subspan(count);
    if (images.empty()) continue;
    Model& model = model_of(images.front().request);
    use(model);
    bool holds_everything = false;
    try {
      const Size size = images.front().request.job.size;
      holds_everything = model.engine.plan_memory(size.width, size.height).holds_everything != 0;
    } catch (const StatusError&) {
      // There is no plan on an accelerator; the job reports other errors.
    }
    const Request& first = images.front().request;
    const bool is_mix = !first.job.mix.empty();
    // What the prior makes of images is not in the prompt cache.
    const bool is_cached = !is_mix && first.option_images.count("prior_images") == 0;
    if (is_cached && images.size() > 1) encode_texts(model, images);
    const std::size_t most = holds_everything && !is_mix ? threads_ : 1;
    for (auto begin = images.begin(); begin != images.end();) {
      const auto is_other = [&](const Image& image) {
        return !(image.request.job.size == begin->request.job.size);
      };
      auto end = std::find_if(begin, images.end(), is_other);
      end = std::min(end, begin + static_cast<std::ptrdiff_t>(most));
      generate(model, {begin, end});
      begin = end;
    }
  }
}

std::vector<Worker::Image> Worker::read_images(std::span<const Line> lines) {
  std::vector<Image> images;
  for (const Line& line : lines) {
    try {
      Image image{.line = &line, .request = read(line.json)};
      image.request.load_images();
      set_size(image.request.job, model_of(image.request).engine.info());
      images.push_back(std::move(image));
    } catch (const StatusError& error) {
      (*done_)({.line = &line, .finished = {}, .status = error.status(), .message = error.what()});
    }
  }
  return images;
}

void Worker::encode_texts(Model& model, const std::vector<Image>& images) {
  try {
    const Job job = together(images);
    model.engine.encode_prompts(job.settings.options("encode_prompts"), is_guided(job));
  } catch (const StatusError& error) {
    if (error.status() == KANDINSKY_CANCELLED) throw;
    // Each image's own job reports the error.
  }
}

void Worker::generate(Model& model, std::span<Image> images) {
  const auto start = Clock::now();
  Result result;
  try {
    for (const Image& image : images)
      check_writable((fs::path(output_) / (image.line->id + ".png")).string());
    const Job job = together(images);
    result = jobs::generate(model.engine, job, true, false);
  } catch (const StatusError& error) {
    if (error.status() == KANDINSKY_CANCELLED) throw;
    if (images.size() == 1) {
      fail(*images.front().line, error);
    } else {
      for (Image& image : images) generate(model, {&image, 1});
    }
    return;
  }
  const std::chrono::duration<double> seconds = Clock::now() - start;
  for (std::size_t i = 0; i < images.size(); ++i)
    save(model, images[i], result.image(i), seconds.count() / static_cast<double>(images.size()));
}

void Worker::save(Model& model, const Image& image, const std::uint8_t* pixels, double seconds) {
  const Job& job = image.request.job;
  const kandinsky_engine_info info = model.engine.info();
  Finished finished{.id = image.line->id,
                    .request = image.line->request,
                    .file = image.line->id + ".png",
                    .sha256 = {},
                    .seed = job.seeds.front(),
                    .seconds = seconds,
                    .device = info.device,
                    .precision = info.precision};
  try {
    const std::string path = (fs::path(output_) / finished.file).string();
    save_image(path, pixels, job.size.width, job.size.height,
               parameters_text(job, 0, model.name, info));
    finished.sha256 = sha256_of_file(path);
    manifest_.append(finished);
  } catch (const StatusError& error) {
    fail(*image.line, error);
    return;
  }
  failures_in_a_row_ = 0;
  (*done_)({.line = image.line, .finished = finished, .status = KANDINSKY_OK, .message = {}});
}

void Worker::fail(const Line& line, const StatusError& error) {
  (*done_)({.line = &line, .finished = {}, .status = error.status(), .message = error.what()});
  failures_in_a_row_ = is_own_fault(error.status()) ? 0 : failures_in_a_row_ + 1;
  if (failures_in_a_row_ >= kMostFailuresInARow)
    throw StatusError(error.status(),
                      fmt::format("stopped after {} failed images in a row", failures_in_a_row_));
}

}  // namespace kandinsky::jobs
