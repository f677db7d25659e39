#include "serve/order.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "kandinsky.hpp"
#include "serve/reply.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;
using Fields = std::map<std::string, std::string>;

/// The request's name of the option.
std::string field_name(const Fields& field_of, const std::string& option) {
  const auto found = field_of.find(option);
  return found == field_of.end() ? option : found->second;
}

/// Removes and returns a member; null if there is none.
Json take(Json& object, const char* name) {
  if (!object.contains(name)) return {};
  Json value = object[name];
  object.erase(name);
  return value;
}

std::int64_t take_count(Json& object, const Fields& field_of, const char* name) {
  const Json value = take(object, name);
  if (value.is_null()) return 1;
  const bool fits = value.is_number_integer() && value >= 1 && value <= kMostImages;
  if (!fits) {
    const std::string field = field_name(field_of, name);
    throw RequestError(kUnprocessable,
                       fmt::format("{} is {}, expected 1 to {}", field, value.dump(), kMostImages),
                       field);
  }
  return value.get<std::int64_t>();
}

/// The first seed: the given number, or a random one in [0, 2^32 - 2], as in hosts.
std::uint64_t take_seed(Json& object, const Fields& field_of, const char* name) {
  const Json value = take(object, name);
  if (value.is_null() || value == -1) {
    std::random_device device;
    return std::uniform_int_distribution<std::uint64_t>(
        0, std::numeric_limits<std::uint32_t>::max() - 1)(device);
  }
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max() - kMostImages;
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
    const std::string field = field_name(field_of, name);
    throw RequestError(
        kUnprocessable,
        fmt::format("{} is {}, expected a whole number from 0 to {}, or -1 for a random one", field,
                    value.dump(), most),
        field);
  }
  return value.get<std::uint64_t>();
}

void refuse_engine_options(const Json& options) {
  for (const kandinsky_option_info& info : option_infos("engine")) {
    if (options.contains(info.name)) {
      throw RequestError(
          kUnprocessable,
          fmt::format("{} is set at the server's start, not by a request", info.name), info.name);
    }
  }
}

/// The reader's error with the request's field names.
RequestError in_words_of_request(const StatusError& error, const Fields& field_of) {
  const std::string message = error.what();
  // Most begin with the option's name: "num_inference_steps is 0, expected ...", "mix: ...".
  const std::string option = message.substr(0, message.find_first_of(" :"));
  const std::string rest = message.substr(option.size());
  const bool is_named =
      rest.starts_with(": ") || (rest.starts_with(" is ") && option != "there" && option != "this");
  if (!is_named) return {http_status(error.status()), message};
  const std::string field = field_name(field_of, option);
  return {http_status(error.status()), field + rest, field};
}

}  // namespace

Order read_order(const jobs::RequestReader& reader, Json options, const Fields& field_of) {
  refuse_engine_options(options);
  const auto batch_size = static_cast<std::size_t>(take_count(options, field_of, "batch_size"));
  const std::size_t count =
      batch_size * static_cast<std::size_t>(take_count(options, field_of, "n_iter"));
  if (count > static_cast<std::size_t>(kMostImages)) {
    throw RequestError(kUnprocessable,
                       fmt::format("{} times {} is {} images, expected up to {}",
                                   field_name(field_of, "batch_size"),
                                   field_name(field_of, "n_iter"), count, kMostImages),
                       field_name(field_of, "n_iter"));
  }
  const std::uint64_t seed = take_seed(options, field_of, "seed");
  const std::uint64_t variation_seed = take_seed(options, field_of, "variation_seed");

  Order order;
  order.batch_size = batch_size;
  try {
    order.request = reader.read(options.dump());
  } catch (const StatusError& error) {
    throw in_words_of_request(error, field_of);
  }
  order.seeds.resize(count, seed);
  // As in hosts, variations are variations of one image.
  if (order.request.job.settings.number("variation_strength") > 0) {
    order.variation_seeds.resize(count);
    std::iota(order.variation_seeds.begin(), order.variation_seeds.end(), variation_seed);
  } else {
    std::iota(order.seeds.begin(), order.seeds.end(), seed);
  }
  return order;
}

}  // namespace kandinsky::serve
