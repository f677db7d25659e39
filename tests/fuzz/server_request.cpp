/// What clients of the server send to be generated. The input's first byte says which route's it
/// is; a form has its content type before its body.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"
#include "kandinsky.hpp"
#include "serve/openai_request.h"
#include "serve/order.h"
#include "serve/reply.h"
#include "serve/sdapi_request.h"

namespace fuzz = kandinsky::fuzz;
namespace jobs = kandinsky::jobs;
namespace serve = kandinsky::serve;

namespace {

serve::Order read(const jobs::RequestReader& reader, fuzz::Input* input) {
  const int kind = input->byte() % 6;
  if (kind == 0) return serve::read_order(reader, serve::parse_object(std::string(input->rest())));
  if (kind <= 2) {
    const auto body = serve::parse_object(std::string(input->rest()));
    return serve::read_sdapi(reader, body, kind == 2, "model");
  }
  const auto route = static_cast<serve::OpenaiRoute>(kind - 3);
  const std::string type(kind == 3 ? "" : input->part("\n"));
  return serve::read_openai(reader, route, type, std::string(input->rest()));
}

void check(const serve::Order& order) {
  const std::size_t count = order.seeds.size();
  fuzz::require(count >= 1 && count <= std::size_t{serve::kMostImages},
                "images are asked for, and not too many");
  fuzz::require(order.batch_size >= 1 && count % order.batch_size == 0, "batches are whole");
  fuzz::require(order.variation_seeds.empty() || order.variation_seeds.size() == count,
                "each image has a variation seed, or none");
  fuzz::require(order.format == "png" || order.format == "jpeg" || order.format == "webp",
                "images can be written in their format:", order.format);
  const jobs::Request& request = order.request;
  const auto is_no_file = [](const jobs::ImageSource& source) { return source.path.empty(); };
  fuzz::require(
      is_no_file(request.image) && is_no_file(request.mask) &&
          std::ranges::all_of(request.mix_images, is_no_file) &&
          std::ranges::all_of(request.option_images,
                              [&](const auto& image) { return is_no_file(image.second); }),
      "no request names a file");
  fuzz::require(std::ranges::none_of(
                    request.job.mix,
                    [](const auto& item) { return item.kind == jobs::MixItem::Kind::kEmbeds; }),
                "nor embeds");
  for (const auto& info : kandinsky::option_infos("engine"))
    fuzz::require(!request.job.settings.has(info.name), "the engine is as it was:", info.name);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const jobs::RequestReader reader(jobs::Settings(), std::nullopt);
  fuzz::Input input(data, size);
  try {
    check(read(reader, &input));
  } catch (const serve::RequestError& error) {
    const std::string_view words = error.what();
    fuzz::require(error.status() >= 400 && error.status() < 500,
                  "it is the client's fault:", words);
    fuzz::require_message(words);
  } catch (const std::exception& error) {
    fuzz::require(false, "only our own errors come out:", error.what());
  }
  return 0;
}
