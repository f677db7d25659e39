#include "convert/convert.h"

#include <fmt/format.h>

#include "convert/inputs.h"
#include "convert/plan.h"
#include "convert/write.h"

namespace kandinsky::convert {

void convert(const ConvertRequest& request, const Report& report, const Say& say) {
  const Target target = target_of(request);
  const Inputs inputs = find_inputs(request.inputs, say);
  for (const PlannedFile& planned : plan_files(target, inputs, say)) {
    if (planned.is_done)
      say(fmt::format("{}: is there already", planned.path));
    else
      write_weights(planned, target, report);
  }
  write_folders(target, inputs);
}

}  // namespace kandinsky::convert
