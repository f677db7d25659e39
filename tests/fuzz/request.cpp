/// Requests as files have them: one JSON object, or a whole file of lines, CSV or prompts. The
/// input's first byte says which.
#include "jobs/request.h"

#include "fuzz/fuzz.h"
#include "jobs/request_file.h"
#include "kandinsky.hpp"

namespace fuzz = kandinsky::fuzz;
namespace jobs = kandinsky::jobs;

namespace {

/// As fuzz::accepts, for the errors of requests.
template <typename Reader>
bool accepts(const Reader& reader) {
  try {
    reader();
    return true;
  } catch (const kandinsky::StatusError& error) {
    const std::string_view words = error.what();
    fuzz::require(error.status() == KANDINSKY_INVALID_ARGUMENT, "it is the request's fault", words);
    fuzz::require_message(words);
  } catch (const std::exception& error) {
    fuzz::require(false, "only our own errors come out:", error.what());
  }
  return false;
}

std::string canonical(const jobs::Request& request) {
  return jobs::canonical(request, [](const jobs::ImageSource& source) { return source.name(); });
}

void read_request(const std::string& json) {
  const jobs::RequestReader reader(jobs::Settings(), "folder");
  jobs::Request request;
  if (!accepts([&] { request = reader.read(json); })) return;
  fuzz::require(request.id.find('/') == std::string::npos, "an id is no path");
  fuzz::require(!request.job.prompt || request.job.prompt->find('\0') == std::string::npos,
                "the C interface gets texts whole");
  fuzz::require(canonical(request) == canonical(reader.read(json)), "a request is always the same");
  // What is a default says the same as what is left out.
  jobs::RequestReader with_defaults(jobs::Settings(), "folder");
  if (accepts([&] { with_defaults.set_defaults(json, "defaults"); })) {
    fuzz::require(canonical(with_defaults.read("{}")) == canonical(request),
                  "defaults are read as requests are");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const int kind = input.byte() % 4;
  if (kind == 0) {
    read_request(std::string(input.rest()));
    return 0;
  }
  const char* const ending = kind == 1 ? ".jsonl" : kind == 2 ? ".csv" : ".txt";
  std::vector<jobs::FileLine> lines;
  accepts([&] { lines = jobs::read_requests(input.rest(), ending); });
  std::size_t last = 0;
  for (const jobs::FileLine& line : lines) {
    fuzz::require(line.number > last, "lines are numbered in order");
    last = line.number;
    read_request(line.json);
  }
  return 0;
}
