#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobs/request.h"
#include "serve/task.h"

namespace kandinsky::serve {

/// Maximum images of one request.
inline constexpr std::int64_t kMostImages = 64;

/// Reads options by name, as `kandinsky batch` does, and those for several images: "seed" and
/// "variation_seed" may be -1 for a random one, image i has seed + i, and "batch_size" images are
/// generated at once, "n_iter" times. field_of: the request's name of an option, if it differs.
/// Throws RequestError, naming the request's field. Options of the engine and file names are
/// refused.
Order read_order(const jobs::RequestReader& reader, nlohmann::ordered_json options,
                 const std::map<std::string, std::string>& field_of = {});

}  // namespace kandinsky::serve
