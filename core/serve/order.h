#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobs/request.h"
#include "serve/task.h"

namespace kandinsky::serve {

/// Most images of one request.
inline constexpr std::int64_t kMostImages = 64;

/// Reads options by name, as `kandinsky batch` does, and what goes for several images: "seed" and
/// "variation_seed" may be -1 for a random one, image i has seed + i, "batch_size" images are
/// generated at once, and that "n_iter" times. field_of: what the request called an option, where
/// it has another word. Throws RequestError, naming the request's field. Options of the engine and
/// names of files are refused.
Order read_order(const jobs::RequestReader& reader, nlohmann::ordered_json options,
                 const std::map<std::string, std::string>& field_of = {});

}  // namespace kandinsky::serve
