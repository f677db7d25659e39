#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "jobs/worker.h"

namespace kandinsky::jobs {

/// Lines of which each is another image. An id is a file name, so it can stand for one image only.
class DistinctLines {
 public:
  /// unit: what a line is called in messages.
  explicit DistinctLines(std::string unit) : unit_(std::move(unit)) {}

  /// Adds the line if its image is new. Returns the number of the first line with that image, which
  /// may be its own. Throws StatusError if its id is that of another image.
  std::size_t add(Line line);

  /// The lines, in the order in which they were added.
  std::vector<Line> take() { return std::move(lines_); }

 private:
  std::string unit_;
  std::vector<Line> lines_;
  std::map<std::string, std::size_t> places_;  ///< in `lines_`, by id
};

}  // namespace kandinsky::jobs
