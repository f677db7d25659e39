#include "jobs/distinct_lines.h"

#include <fmt/format.h>

#include <cstddef>
#include <utility>

#include "jobs/worker.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {

std::size_t DistinctLines::add(Line line) {
  const auto [place, is_new] = places_.try_emplace(line.id, lines_.size());
  if (is_new) {
    lines_.push_back(std::move(line));
    return lines_.back().number;
  }
  const Line& first = lines_[place->second];
  if (first.request != line.request) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      fmt::format("id \"{}\" is already used by {} {} for another image", line.id,
                                  unit_, first.number));
  }
  return first.number;
}

}  // namespace kandinsky::jobs
