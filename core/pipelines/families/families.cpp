#include "pipelines/families/families.h"

#include <array>

#include "base/span.h"
#include "io/model_dir.h"
#include "pipelines/families/kandinsky_2_1/family.h"
#include "pipelines/families/kandinsky_2_2/family.h"
#include "pipelines/family.h"

namespace kandinsky::pipelines {

Span<const Family> families() {
  static const std::array all{kandinsky_2_1(), kandinsky_2_2()};
  return all;
}

const Family* find_family(const io::ModelDir& model) {
  for (const Family& family : families()) {
    if (*family.role_of(model) != '\0') return &family;
  }
  return nullptr;
}

}  // namespace kandinsky::pipelines
