/* generate MODEL FILE   Text to image as programs of this ABI version do it. Built as a plugin,
 * too, whose host calls generate(), which returns 0 or the line that failed. */
#include <kandinsky.h>
#include <stdio.h>
#include <string.h>

#define SIDE 64
#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      fprintf(stderr, "%s: %s\n", #condition, kandinsky_last_error()); \
      return __LINE__;                                                 \
    }                                                                  \
  } while (0)
#define OK(call) CHECK((call) == KANDINSKY_OK)

static kandinsky_action count_steps(const kandinsky_progress* progress, void* user_data) {
  if (strcmp(progress->stage, "denoise") == 0 && progress->latents != NULL)
    *(int*)user_data += progress->shape[3];
  return KANDINSKY_CONTINUE;
}

int generate(const char* model, const char* file) {
  const char* prompt = "a red circle";
  const uint64_t seed = 7;
  const kandinsky_condition condition = {0, 0, 1, 3, 1.0};
  static uint8_t pixels[SIDE * SIDE * 3];
  int columns = 0;
  kandinsky_option_info option;
  kandinsky_engine_info info;
  kandinsky_memory_plan plan;
  kandinsky_options* options = NULL;
  kandinsky_engine* engine = NULL;

  CHECK(kandinsky_abi_version() == KANDINSKY_ABI_VERSION);
  kandinsky_option_info_init(&option);
  OK(kandinsky_option_get_info("text_to_image", 0, &option));
  CHECK(strcmp(option.name, "prompts") == 0 && option.type == KANDINSKY_TEXTS);

  OK(kandinsky_options_new("engine", &options));
  OK(kandinsky_options_set_text(options, "model_dir", model));
  OK(kandinsky_options_set_text(options, "device", "cpu"));
  OK(kandinsky_options_set_text(options, "precision", "fp32"));
  OK(kandinsky_engine_open(options, &engine));
  kandinsky_options_free(options);

  kandinsky_engine_info_init(&info);
  OK(kandinsky_engine_get_info(engine, &info));
  CHECK(strcmp(info.device, "cpu") == 0 && info.latent_factor == 8);
  kandinsky_memory_plan_init(&plan);
  OK(kandinsky_engine_plan_memory(engine, SIDE, SIDE, 1, &plan));
  CHECK(plan.least > 0);
  OK(kandinsky_engine_set_progress(engine, count_steps, &columns));

  OK(kandinsky_options_new("text_to_image", &options));
  OK(kandinsky_options_set_texts(options, "prompts", &prompt, 1));
  OK(kandinsky_options_set_seeds(options, "seeds", &seed, 1));
  OK(kandinsky_options_set_integer(options, "width", SIDE));
  OK(kandinsky_options_set_integer(options, "height", SIDE));
  OK(kandinsky_options_set_integer(options, "num_inference_steps", 3));
  OK(kandinsky_options_set_integer(options, "prior_num_inference_steps", 2));
  OK(kandinsky_options_set_number(options, "guidance_scale", 2.5));
  OK(kandinsky_options_set_flag(options, "parse_weights", 0));
  OK(kandinsky_options_set_conditions(options, "conditions", &condition, 1));
  CHECK(kandinsky_options_set_number(options, "guidance_scal", 1) == KANDINSKY_INVALID_ARGUMENT);
  OK(kandinsky_text_to_image(engine, options, pixels, sizeof pixels));
  CHECK(columns == 3 * SIDE / 8);
  OK(kandinsky_image_save(file, pixels, SIDE, SIDE, NULL));
  kandinsky_options_free(options);
  kandinsky_engine_free(engine);
  return 0;
}

int main(int argc, char** argv) { return argc != 3 || generate(argv[1], argv[2]) != 0; }
