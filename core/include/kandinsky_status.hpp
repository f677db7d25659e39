/// Part of kandinsky.hpp: statuses that throw.
#ifndef KANDINSKY_STATUS_HPP_
#define KANDINSKY_STATUS_HPP_

#include <stdexcept>
#include <string>

#include "kandinsky.h"

namespace kandinsky {

/// A failed call: the status and the library's message.
class StatusError : public std::runtime_error {
 public:
  StatusError(kandinsky_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  kandinsky_status status() const noexcept { return status_; }

 private:
  kandinsky_status status_;
};

/// Throws StatusError for anything but KANDINSKY_OK.
inline void check(kandinsky_status status) {
  if (status != KANDINSKY_OK) throw StatusError(status, kandinsky_last_error());
}

}  // namespace kandinsky

#endif  // KANDINSKY_STATUS_HPP_
