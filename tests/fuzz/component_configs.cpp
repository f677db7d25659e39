/// The configs of networks and schedules. The input's first byte says whose.
#include "fuzz/fuzz.h"
#include "io/json_config.h"
#include "nn/encoders/clip_encoder.h"
#include "nn/movq/movq_config.h"
#include "nn/unet/unet.h"
#include "samplers/ddpm_config.h"
#include "samplers/noise_schedule.h"
#include "samplers/unclip.h"

namespace fuzz = kandinsky::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const int kind = input.byte() % 6;
  fuzz::accepts([&] {
    const auto json = kandinsky::io::JsonConfig::parse(input.rest(), "config.json");
    if (kind == 0) (void)kandinsky::nn::UNetConfig::from_json(json);
    if (kind == 1) (void)kandinsky::nn::MovqConfig::from_json(json);
    if (kind == 2) (void)kandinsky::nn::ClipEncoderConfig::from_json(json);
    if (kind == 3) (void)kandinsky::samplers::UnclipSchedule::from_json(json);
    if (kind == 4) (void)kandinsky::samplers::NoiseSchedule::from_json(json);
    if (kind == 5) (void)kandinsky::samplers::DdpmConfig::from_json(json);
  });
  return 0;
}
