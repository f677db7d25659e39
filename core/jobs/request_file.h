#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::jobs {

struct FileLine {
  std::size_t number = 0;
  std::string json;  ///< a request, if the line is valid
};

/// The requests in a file's content, by the file's ending: .jsonl (a JSON object on each line),
/// .csv (option names in the first line) or .txt (a prompt on each line). Empty lines are
/// skipped. Throws StatusError.
std::vector<FileLine> read_requests(std::string_view text, std::string_view ending);

/// Those of a file; messages contain its name.
std::vector<FileLine> read_request_file(const std::string& path);

}  // namespace kandinsky::jobs
