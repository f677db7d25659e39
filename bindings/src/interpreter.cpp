#include "interpreter.h"

#include <cxxabi.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "kandinsky.hpp"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long the end of the interpreter waits for what is no job that computes.
constexpr milliseconds kPatience{1000};

// Changed with the GIL held. Without a mutex of its own, so that a fork() by Python never happens
// while one is locked.
std::atomic<int> computing{0};  ///< calls without the GIL
std::atomic<int> calling{0};    ///< callbacks of them, with it
std::vector<RunningJob*> jobs;  ///< each computes or is in a callback
thread_local int calling_here = 0;
std::thread::id last_thread;      ///< that ends the interpreter, and may work until then
std::atomic<bool> ending{false};  ///< read without the GIL; `last_thread` is set before
bool ended = false;

[[noreturn]] void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// What may be unwound by CPython, which must not go further than here. `body` owns nothing that a
/// destructor would free: it would run without the GIL.
template <typename Body>
auto not_unwound(const Body& body) {
#if defined(__GLIBCXX__)
  try {
    return body();
  } catch (const abi::__forced_unwind&) {
    sleep_for_ever();
  }
#else
  return body();
#endif
}

void take_gil(PyThreadState* state) {
  not_unwound([state] { PyEval_RestoreThread(state); });
}

/// Before the interpreter ends, with the GIL held. Jobs that compute end at their next step; other
/// calls and callbacks may wait for what never comes, a pipe's other end or this thread.
void end_jobs() {
  last_thread = std::this_thread::get_id();
  ending = true;
  for (const RunningJob* job : jobs) job->cancel();
  const auto start = steady_clock::now();
  const auto is_patient = [start] { return steady_clock::now() - start < kPatience; };
  const auto is_working = [] { return static_cast<int>(jobs.size()) > calling; };
  // Ctrl-C ends the waiting.
  while (PyErr_CheckSignals() == 0 && (is_working() || (computing + calling > 0 && is_patient()))) {
    PyThreadState* const state = PyEval_SaveThread();
    std::this_thread::sleep_for(milliseconds(5));
    PyEval_RestoreThread(state);
  }
  ended = true;
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
}

/// Asked with the GIL held, so that nothing is counted that begins after end_jobs().
std::nothrow_t unless_ending() {
  if (is_ending()) throw StatusError(KANDINSKY_CANCELLED, "Python is ending, so no work begins");
  return std::nothrow;
}

/// All threads but the one that forked are the parent's.
void keep_this_thread() {
  computing = 0;
  calling = calling_here;
  jobs.clear();
}

}  // namespace

bool is_ending() { return ending && std::this_thread::get_id() != last_thread; }

GilRelease::GilRelease(std::nothrow_t) noexcept {
  ++computing;
  state_ = PyEval_SaveThread();
}

GilRelease::GilRelease() : GilRelease(unless_ending()) {}

GilRelease::~GilRelease() {
  take_gil(state_);
  --computing;
}

GilAcquire::GilAcquire() {
  take_gil(PyGILState_GetThisThreadState());
  --computing;
  ++calling;
  ++calling_here;
}

GilAcquire::~GilAcquire() {
  const bool is_late = ended && is_ending();
  --calling_here;
  --calling;
  ++computing;
  PyEval_SaveThread();
  // What the job works with is being torn down.
  if (is_late) sleep_for_ever();
}

py::object call(const py::object& function, const py::tuple& arguments) {
  PyObject* const result =
      not_unwound([&] { return PyObject_CallObject(function.ptr(), arguments.ptr()); });
  if (result == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

RunningJob::RunningJob(std::function<void()> cancel) : cancel_(std::move(cancel)) {
  jobs.push_back(this);
}

RunningJob::~RunningJob() { std::erase(jobs, this); }

void register_interpreter(py::module_& /*module*/) {
  py::module_::import("atexit").attr("register")(py::cpp_function(&end_jobs));
  py::module_::import("os").attr("register_at_fork")(py::arg("after_in_child") =
                                                         py::cpp_function(&keep_this_thread));
}

}  // namespace kandinsky::bindings
