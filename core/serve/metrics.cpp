#include "serve/metrics.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "jobs/parameters.h"
#include "kandinsky.hpp"

namespace kandinsky::serve {
namespace {

void add_family(std::string& text, const char* name, const char* type, const char* help) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

}  // namespace

void Metrics::count_task(const Task& task) {
  if (!task.order()) return;
  const Task::Status status = task.status();
  ++jobs_[status.state];
  images_ += task.images().size();
  if (status.state != Task::State::kDone) return;
  ++timed_;
  seconds_ += status.worked;
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    within_[i] += status.worked <= kBounds[i] ? 1 : 0;
}

double Metrics::mean_seconds() const {
  return timed_ == 0 ? 0 : seconds_ / static_cast<double>(timed_);
}

std::string Metrics::text(std::size_t waiting, bool is_running, const std::string& model) const {
  std::string text;
  add_family(text, "kandinsky_build_info", "gauge", "Version of the engine, model that is served");
  text += fmt::format("kandinsky_build_info{{version=\"{}\",model={}}} 1\n", kandinsky_version(),
                      jobs::json_string(model));
  add_family(text, "kandinsky_http_requests_total", "counter", "Requests answered, by status");
  for (const auto& [status, count] : requests_)
    text += fmt::format("kandinsky_http_requests_total{{code=\"{}\"}} {}\n", status, count);
  add_family(text, "kandinsky_jobs_total", "counter", "Jobs that are over, by how they ended");
  for (const auto state : {Task::State::kDone, Task::State::kFailed, Task::State::kCancelled}) {
    const auto found = jobs_.find(state);
    text += fmt::format("kandinsky_jobs_total{{state=\"{}\"}} {}\n", state_name(state),
                        found == jobs_.end() ? 0 : found->second);
  }
  add_family(text, "kandinsky_images_total", "counter", "Images generated");
  text += fmt::format("kandinsky_images_total {}\n", images_);
  add_family(text, "kandinsky_jobs_waiting", "gauge", "Jobs in the queue");
  text += fmt::format("kandinsky_jobs_waiting {}\n", waiting);
  add_family(text, "kandinsky_jobs_running", "gauge", "Jobs being worked at");
  text += fmt::format("kandinsky_jobs_running {}\n", is_running ? 1 : 0);
  add_family(text, "kandinsky_job_seconds", "histogram", "Time that finished jobs took");
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    text += fmt::format("kandinsky_job_seconds_bucket{{le=\"{}\"}} {}\n", kBounds[i], within_[i]);
  text += fmt::format("kandinsky_job_seconds_bucket{{le=\"+Inf\"}} {}\n", timed_);
  text += fmt::format("kandinsky_job_seconds_sum {}\nkandinsky_job_seconds_count {}\n", seconds_,
                      timed_);
  add_family(text, "process_resident_memory_bytes", "gauge", "Memory that the process holds");
  text += fmt::format("process_resident_memory_bytes {}\n", memory_state().resident);
  return text;
}

MemoryState memory_state() {
  MemoryState state;
  std::uint64_t size = 0;
  std::ifstream("/proc/self/statm") >> size >> state.resident;
  state.resident *= static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  constexpr std::uint64_t kKilo = 1024;
  std::ifstream lines("/proc/meminfo");
  std::string name;
  for (std::uint64_t kilobytes = 0; lines >> name >> kilobytes; lines.ignore(16, '\n')) {
    if (name == "MemTotal:") state.total = kilobytes * kKilo;
    if (name == "MemAvailable:") state.available = kilobytes * kKilo;
  }
  return state;
}

}  // namespace kandinsky::serve
