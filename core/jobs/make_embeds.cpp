#include "jobs/make_embeds.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jobs/job.h"

namespace kandinsky::jobs {
namespace {

/// The job's options of encode_prompts with another text.
Options with_text(const Job& job, const std::string& text) {
  Options options = job.settings.options("encode_prompts");
  options.set("prompts", std::vector(job.seeds.size(), text));
  return options;
}

Embeds load_embeds(const std::string& path, std::size_t batch_size) {
  Embeds embeds = Embeds::load(path);
  const auto rows = static_cast<std::size_t>(embeds.batch_size());
  if (rows != 1 && rows != batch_size) {
    throw StatusError(
        KANDINSKY_INVALID_ARGUMENT,
        fmt::format("embeds {}: it has {} rows, but {} wanted", path, rows,
                    batch_size == 1 ? "1 image is" : fmt::format("{} images are", batch_size)));
  }
  return embeds;
}

}  // namespace

bool is_guided(const Job& job) { return job.settings.number("guidance_scale") > 1; }

std::pair<Embeds, Embeds> make_embeds(Engine& engine, const Job& job) {
  const bool guided = is_guided(job);
  const Options own = job.settings.options("encode_prompts");
  if (job.mix.empty()) return engine.encode_prompts(own, guided);

  std::optional<Embeds> text;  // for the decoder
  Embeds negative;
  if (job.prompt) {
    auto [embeds, negative_embeds] = engine.encode_prompts(own, guided);
    text = std::move(embeds);
    negative = std::move(negative_embeds);
  }
  const Embeds seen = job.mix_images.empty() ? Embeds() : engine.encode_images(job.mix_images);
  std::vector<Embeds> items;
  std::vector<double> weights;
  std::optional<std::size_t> first_text;
  std::int32_t image = 0;
  for (const MixItem& item : job.mix) {
    weights.push_back(item.weight);
    switch (item.kind) {
      case MixItem::Kind::kImage:
        items.push_back(seen.select({image++}));
        break;
      case MixItem::Kind::kEmbeds:
        items.push_back(load_embeds(item.value, job.seeds.size()));
        break;
      case MixItem::Kind::kText: {
        auto [embeds, negative_embeds] = engine.encode_prompts(with_text(job, item.value), guided);
        if (!negative) negative = std::move(negative_embeds);
        if (!first_text) first_text = items.size();
        items.push_back(std::move(embeds));
      }
    }
  }
  if (!negative && guided) negative = engine.encode_negative_prompts(with_text(job, ""));

  std::vector<const Embeds*> borrowed;
  for (const Embeds& item : items) borrowed.push_back(&item);
  const Embeds* read = text ? &*text : first_text ? borrowed[*first_text] : nullptr;
  Embeds mixed = Embeds::combine(borrowed, weights, read, job.slerp ? "slerp" : "sum");
  if (mixed.batch_size() == 1) mixed = mixed.select(std::vector<std::int32_t>(job.seeds.size(), 0));
  return {std::move(mixed), std::move(negative)};
}

}  // namespace kandinsky::jobs
