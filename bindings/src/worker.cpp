#include "jobs/worker.h"

#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "interpreter.h"
#include "jobs/distinct_lines.h"
#include "jobs/request_file.h"
#include "register.h"
#include "text.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

/// What became of a request.
struct Answer {
  jobs::Finished finished;
  std::string error;  ///< empty: there is an image
};

jobs::RequestReader make_reader(const std::string& defaults,
                                const std::optional<std::string>& folder) {
  jobs::RequestReader reader(jobs::Settings(), folder);
  reader.set_defaults(defaults, "defaults");
  return reader;
}

/// A jobs::Worker for one Python object; one run() at a time.
class PyWorker {
 public:
  PyWorker(const std::string& defaults, const std::optional<std::string>& folder,
           const std::string& output, const std::string& manifest, std::size_t threads,
           py::object message)
      : worker_(std::make_shared<jobs::Worker>(
            make_reader(defaults, folder), output, manifest, threads,
            jobs::Worker::Reports{
                .progress = [](const kandinsky_progress&) { return on_progress(); },
                .message = [this](const char* text) { on_message(text); }})),
        message_(std::move(message)) {}
  ~PyWorker() {
    const GilRelease release(std::nothrow);
    worker_.reset();
  }
  PyWorker(const PyWorker&) = delete;
  PyWorker& operator=(const PyWorker&) = delete;

  py::list run(const std::vector<std::string>& requests) {
    if (is_running_) throw StatusError(KANDINSKY_BUSY, "the worker is running other requests");
    const RunningJob running([worker = worker_] { worker->cancel(); });
    is_running_ = true;
    const std::unique_ptr<bool, EndOfRun> end(&is_running_);
    std::vector<Answer> answers(requests.size());
    {
      const GilRelease release;
      answer(requests, answers);
    }
    py::list result;
    for (const Answer& answer : answers) {
      const jobs::Finished& finished = answer.finished;
      result.append(py::dict("id"_a = finished.id, "file"_a = finished.file,
                             "sha256"_a = finished.sha256, "seed"_a = finished.seed,
                             "seconds"_a = finished.seconds, "device"_a = finished.device,
                             "precision"_a = finished.precision, "error"_a = answer.error));
    }
    return result;
  }

 private:
  struct EndOfRun {
    void operator()(bool* is_running) const { *is_running = false; }
  };

  static kandinsky_action on_progress() {
    if (is_ending()) return KANDINSKY_CANCEL;
    const GilAcquire acquire;
    // Ctrl-C in the main thread becomes KeyboardInterrupt here.
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    return KANDINSKY_CONTINUE;
  }

  void on_message(const char* text) const {
    if (is_ending()) return;
    const GilAcquire acquire;
    call(message_, py::make_tuple(to_text(text)));
  }

  void answer(const std::vector<std::string>& requests, std::vector<Answer>& answers) {
    jobs::DistinctLines distinct("the batch's row");
    std::map<std::string, std::vector<std::size_t>> places;  // by id
    for (std::size_t i = 0; i < requests.size(); ++i) {
      try {
        jobs::Line line = worker_->check(i + 1, requests[i]);
        answers[i].finished.id = line.id;
        distinct.add(std::move(line));
        places[answers[i].finished.id].push_back(i);
      } catch (const StatusError& error) {
        answers[i].error = error.what();
      }
    }
    std::vector<jobs::Line> lines = distinct.take();
    std::erase_if(lines, [&](const jobs::Line& line) {
      const jobs::Finished* known = worker_->find(line);
      if (known == nullptr) return false;
      for (const std::size_t i : places[line.id]) answers[i].finished = *known;
      return true;
    });
    worker_->run(std::move(lines), [&](const jobs::Outcome& outcome) {
      for (const std::size_t i : places[outcome.line->id]) {
        if (outcome.status == KANDINSKY_OK) answers[i].finished = outcome.finished;
        answers[i].error = outcome.message;
      }
    });
  }

  std::shared_ptr<jobs::Worker> worker_;
  py::object message_;
  bool is_running_ = false;
};

std::vector<std::string> read_requests(const std::string& path) {
  const GilRelease release;
  std::vector<std::string> requests;
  for (jobs::FileLine& line : jobs::read_request_file(path))
    requests.push_back(std::move(line.json));
  return requests;
}

}  // namespace

void register_worker(py::module_& module) {
  py::class_<PyWorker>(module, "Worker", py::module_local())
      .def(py::init<const std::string&, const std::optional<std::string>&, const std::string&,
                    const std::string&, std::size_t, py::object>(),
           "defaults"_a, "folder"_a, "output"_a, "manifest"_a, "threads"_a, "message"_a)
      .def("run", &PyWorker::run, "requests"_a);
  module.def("read_request_file", &read_requests, "path"_a);
}

}  // namespace kandinsky::bindings
