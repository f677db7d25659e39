#pragma once

#include <string>
#include <vector>

namespace kandinsky::jobs {

struct FileLine {
  std::size_t number = 0;
  std::string json;  ///< a request, if the line is one
};

/// The requests of a file, by its ending: .jsonl (a JSON object on each line), .csv (options' names
/// in the first line) or .txt (a prompt on each line). Empty lines are passed over. Throws
/// StatusError.
std::vector<FileLine> read_request_file(const std::string& path);

}  // namespace kandinsky::jobs
