#include "cli/session.h"

#include <unistd.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cli/generate_job.h"

namespace kandinsky::cli {

Session::Session(bool quiet)
    : quiet_(quiet), watch_([this] { cancel(); }), bar_(isatty(STDERR_FILENO) != 0) {}

void Session::open(const GenerateJob& job) {
  check_interrupt();
  if (job.threads) set_num_threads(*job.threads);
  auto engine = std::make_shared<Engine>(job.settings.options("engine"));
  if (!quiet_) engine->set_message([this](const char* message) { bar_.message(message); });
  engine->set_progress([this](const kandinsky_progress& progress) {
    if (!quiet_) bar_.update(progress);
    return watch_.signal() != 0 ? KANDINSKY_CANCEL : KANDINSKY_CONTINUE;
  });
  engine_ = engine;
  set_cancel([engine] { engine->cancel(); });
}

Session::~Session() { set_cancel({}); }

void Session::set_cancel(std::function<void()> cancel) {
  const std::lock_guard lock(mutex_);
  cancel_ = std::move(cancel);
}

void Session::remark(const std::string& text) {
  if (!quiet_) bar_.message(text.c_str());
}

void Session::check_interrupt() const {
  if (watch_.signal() != 0) throw Stopped(watch_.signal());
}

void Session::cancel() {
  const std::lock_guard lock(mutex_);
  if (cancel_) cancel_();
}

}  // namespace kandinsky::cli
