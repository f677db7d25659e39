#pragma once

#include "kandinsky.h"
#include "pipelines/embeds.h"

struct kandinsky_embeds {
  kandinsky::pipelines::Embeds embeds;
};
