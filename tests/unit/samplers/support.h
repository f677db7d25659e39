#pragma once

#include "samplers/noise_schedule.h"

namespace kandinsky::test {

/// The decoder's own noise schedule.
inline samplers::NoiseSchedule decoder_schedule() {
  return samplers::NoiseSchedule::from_json(io::JsonConfig::parse(
      R"({"beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1, "set_alpha_to_one": false, "clip_sample": false})",
      "test"));
}

}  // namespace kandinsky::test
