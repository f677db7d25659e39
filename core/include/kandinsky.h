/* kandinsky.h: the C interface of the Kandinsky engine.
 *
 * Conventions
 *  1. Every function that can fail returns a kandinsky_status. On anything but KANDINSKY_OK the
 *     outputs are untouched and kandinsky_last_error() tells, on the same thread, what went wrong,
 *     in words meant for the person at the screen.
 *  2. Strings are UTF-8 and end in NUL. Inputs are borrowed for the call. A returned `const char*`
 *     belongs to the object it was asked from (or to the library) and each getter says how long it
 *     lives.
 *  3. Objects are made by a function with a `**out` parameter and freed by their one `*_free`.
 *     Freeing NULL is fine.
 *  4. Structs that may grow start with `uint32_t struct_size`. Fill them with their `*_init`, then
 *     set fields. They grow at the end only, so a program keeps working with a newer library.
 *  5. Pictures are uint8 [batch, height, width, 3], RGB, rows from the top, no padding. Latents
 *     are float32 [batch, channels, latent_height, latent_width], within -10000..10000. Both are
 *     plain buffers of the caller's; sizes are given in elements.
 *  6. One engine runs one job at a time; a second call meanwhile answers KANDINSKY_BUSY. An engine
 *     may be used from any thread, different engines at the same time. kandinsky_engine_cancel()
 *     may be called from any thread at any time.
 *  7. Callbacks run on the thread that called the engine, between steps, under the caller's own
 *     state of LibTorch. They must not call the same engine, except to cancel it.
 *  8. Process-wide state of LibTorch (threads, grad mode, default dtype, global generator) is
 *     never changed, but for threads by kandinsky_set_num_threads(). A job computes on as many as
 *     OpenMP gives it: fewer than LibTorch's number with OMP_DYNAMIC and OMP_THREAD_LIMIT, and one
 *     if its caller is itself a thread of a parallel region.
 *  9. After fork() an engine stays its parent's: in the child its jobs answer
 *     KANDINSKY_INCOMPATIBLE. A child may open engines of its own, but the thread that forked
 *     cannot compute on several threads again if it had, since OpenMP's others stayed behind: that
 *     is KANDINSKY_INCOMPATIBLE, too, where LibTorch's own operators hang. A new thread can, and
 *     so can a process that is started anew ("spawn").
 *
 * A whole picture
 *     kandinsky_engine_options options;
 *     kandinsky_engine_options_init(&options);
 *     options.model_dir = "models/kandinsky-2-1";
 *     kandinsky_engine* engine = NULL;
 *     if (kandinsky_engine_open(&options, &engine) != KANDINSKY_OK) {
 *       puts(kandinsky_last_error());
 *       return 1;
 *     }
 *
 *     const char* prompt = "a red circle on a white background";
 *     uint64_t seed = 1;
 *     kandinsky_prompt_options prompts;
 *     kandinsky_prompt_options_init(&prompts);
 *     prompts.batch_size = 1;
 *     prompts.prompts = &prompt;
 *     prompts.seeds = &seed;
 *     kandinsky_denoise_options denoise;
 *     kandinsky_denoise_options_init(&denoise);
 *     denoise.batch_size = 1;
 *     denoise.seeds = &seed;
 *     static uint8_t pixels[512 * 512 * 3];
 *     if (kandinsky_text_to_image(engine, &prompts, &denoise, pixels, sizeof pixels) ==
 *             KANDINSKY_OK &&
 *         kandinsky_picture_save("circle.png", pixels, 512, 512, NULL) == KANDINSKY_OK) {
 *       puts("circle.png");
 *     } else {
 *       puts(kandinsky_last_error());
 *     }
 *     kandinsky_engine_free(engine);
 */
#ifndef KANDINSKY_H_
#define KANDINSKY_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(KANDINSKY_BUILDING)
#define KANDINSKY_API __declspec(dllexport)
#else
#define KANDINSKY_API __declspec(dllimport)
#endif
#else
#define KANDINSKY_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ---- */

/** Of this header. What a header adds is there in a library of the same or a later version. */
#define KANDINSKY_VERSION_MAJOR 0
#define KANDINSKY_VERSION_MINOR 1
#define KANDINSKY_VERSION_PATCH 0

/** Of the binary interface: grows when programs have to be compiled again. The library's file is
 * named after it, libkandinsky.so.1, so that a program never starts with another one. */
#define KANDINSKY_ABI_VERSION 1

/** The library's own KANDINSKY_ABI_VERSION, for programs that load it by themselves. */
KANDINSKY_API uint32_t kandinsky_abi_version(void);

/* Declares NAME_init(NAME* value), which fills a struct with its defaults; NULL is passed over. The
   library is told the size that the struct has in this header: it may know a larger one. */
#define KANDINSKY_INIT(name)                                             \
  KANDINSKY_API void name##_init_sized(name* value, size_t struct_size); \
  static inline void name##_init(name* value) { name##_init_sized(value, sizeof(name)); }

/* ---- Status ---- */

typedef enum kandinsky_status {
  KANDINSKY_OK = 0,
  KANDINSKY_INVALID_ARGUMENT = 1, /* a value out of range, a wrong size, text that is not UTF-8 */
  KANDINSKY_NOT_FOUND = 2,        /* a folder, file or component is missing */
  KANDINSKY_CORRUPT_FILE =
      3, /* a file is truncated, malformed, or holds weights that are not numbers */
  KANDINSKY_UNSUPPORTED = 4, /* well-formed, but not something this build can do */
  KANDINSKY_OUT_OF_MEMORY =
      5, /* memory of the machine or of its accelerator ran out; the engine stays usable */
  KANDINSKY_CANCELLED = 6, /* kandinsky_engine_cancel() or a callback ended the job */
  KANDINSKY_BUSY = 7,      /* the engine is running another job */
  KANDINSKY_INCOMPATIBLE =
      8, /* the parts do not fit each other: folders, file versions, library versions */
  KANDINSKY_INTERNAL = 9, /* a broken invariant: please report it */
  KANDINSKY_IO = 10 /* the system cannot read or write a file: a full disk, a missing permission,
                       too many open files, a name that is too long */
} kandinsky_status;

/** The message of this thread's last failure, "" if there was none. Valid until this thread's next
 * failing call. */
KANDINSKY_API const char* kandinsky_last_error(void);

/** The status in words, e.g. "not found". Lives for ever. */
KANDINSKY_API const char* kandinsky_status_name(kandinsky_status status);

/** The library's version, e.g. "0.1.0". Lives for ever. */
KANDINSKY_API const char* kandinsky_version(void);

/** The version of the LibTorch that this library was built for, e.g. "2.13.0". Lives for ever. */
KANDINSKY_API const char* kandinsky_torch_version(void);

/* ---- What the library offers ---- */

/** Number of samplers; names of samplers as hosts spell them, e.g. "DDIM". NULL for an index out of
 * range. Live for ever. */
KANDINSKY_API size_t kandinsky_sampler_count(void);
KANDINSKY_API const char* kandinsky_sampler_name(size_t index);

/** Number of schedulers (how a sampler's steps are spaced); their names as hosts spell them, e.g.
 * "Karras"; one line about each. NULL for an index out of range. Live for ever. */
KANDINSKY_API size_t kandinsky_scheduler_count(void);
KANDINSKY_API const char* kandinsky_scheduler_name(size_t index);
KANDINSKY_API const char* kandinsky_scheduler_description(size_t index);

/** Number of speed-ups: ways in which the engine is faster than the plain formulas with the same
 * result up to rounding; their names, e.g. "packed-weights"; one line about each. NULL for an index
 * out of range. Live for ever. */
KANDINSKY_API size_t kandinsky_speedup_count(void);
KANDINSKY_API const char* kandinsky_speedup_name(size_t index);
KANDINSKY_API const char* kandinsky_speedup_description(size_t index);

/** Number of model families; their names, e.g. "kandinsky-2-1". NULL for an index out of range.
 * Live for ever. */
KANDINSKY_API size_t kandinsky_family_count(void);
KANDINSKY_API const char* kandinsky_family_name(size_t index);

/* ---- Threads ---- */

/** Sets with how many threads LibTorch computes on the CPU, the resizing of images included. For
 * the whole process, from then on: for programs of their own. A host sets LibTorch's threads
 * itself, and the library uses what it finds. threads: 1 to 1024. Not while an engine works. */
KANDINSKY_API kandinsky_status kandinsky_set_num_threads(int32_t threads);

/* ---- Picture files ---- */

/** A picture: pixels [height, width, channels], rows from the top, no padding. Fill it yourself, or
 * let kandinsky_picture_load make one. Where pictures go in, all three kinds are taken; transparent
 * places become white. */
typedef struct kandinsky_picture {
  const uint8_t* pixels;
  int32_t width;
  int32_t height;
  int32_t channels; /* 1: grey, 3: RGB, 4: RGBA */
} kandinsky_picture;

/** Reads a PNG, JPEG or WebP file, turned upright by its orientation tag; of an animation the first
 * picture. Free the result with kandinsky_picture_free. */
KANDINSKY_API kandinsky_status kandinsky_picture_load(const char* path, kandinsky_picture** out);

/** The same from the bytes of such a file, up to 2^28. `name` is what messages call it; NULL:
 * "the image". Free the result with kandinsky_picture_free. */
KANDINSKY_API kandinsky_status kandinsky_picture_decode(const uint8_t* bytes, size_t size,
                                                        const char* name, kandinsky_picture** out);

/** Frees what kandinsky_picture_load and kandinsky_picture_decode made, and nothing else. */
KANDINSKY_API void kandinsky_picture_free(kandinsky_picture* picture);

/** Writes an RGB picture as PNG, JPEG or WebP by the path's ending. `parameters` (may be NULL)
 * becomes a PNG's text chunk of that name, as hosts write it. An existing file is replaced whole or
 * not at all. */
KANDINSKY_API kandinsky_status kandinsky_picture_save(const char* path, const uint8_t* pixels,
                                                      int32_t width, int32_t height,
                                                      const char* parameters);

/** Fails as kandinsky_picture_save and kandinsky_embeds_save would because of the path, such as a
 * name that is too long or a folder that may not be written: to be asked before the work. Leaves
 * nothing behind. */
KANDINSKY_API kandinsky_status kandinsky_check_writable(const char* path);

/* ---- Folders ---- */

/** What a model folder in hub layout holds. Reading it loads no weights, only file headers. */
typedef struct kandinsky_folder kandinsky_folder;

typedef struct kandinsky_component_info {
  uint32_t struct_size;
  const char* name;       /* e.g. "unet"; lives as long as the folder, as do all strings here */
  const char* class_name; /* e.g. "UNet2DConditionModel" */
  const char* dtype; /* of the weights: "fp32", "fp16", "bf16", "mixed"; "" for a component without
                        weights */
  uint64_t parameters; /* numbers in all its tensors; 0 for a component without weights */
  uint64_t tensors;
  uint64_t bytes;     /* of its weight files */
  int32_t is_checked; /* 1: all that a job needs of it was checked, but for the numbers in its
                         weights; 0: no job needs it, or no family knows the folder, and only its
                         config and file headers were read */
} kandinsky_component_info;

KANDINSKY_INIT(kandinsky_component_info)

/** Reads a model's or a prior's model_index.json, and of all components that it lists configs, file
 * headers and tokenizers. Fails for one that is missing or damaged or does not fit its config, as
 * opening an engine would if it needs it; whether folders fit each other shows only there. */
KANDINSKY_API kandinsky_status kandinsky_folder_open(const char* dir, kandinsky_folder** out);
KANDINSKY_API void kandinsky_folder_free(kandinsky_folder* folder);

/** The pipeline class of model_index.json, e.g. "KandinskyPipeline". Lives as long as the folder,
 * as all getters' results. Of NULL they give NULL or 0. */
KANDINSKY_API const char* kandinsky_folder_pipeline(const kandinsky_folder* folder);

/** The family that knows this folder, or "" if none does. Lives for ever. */
KANDINSKY_API const char* kandinsky_folder_family(const kandinsky_folder* folder);

/** Side in pixels of the pictures that the model was trained on; 0 for a prior folder, and if no
 * family knows the folder. */
KANDINSKY_API int32_t kandinsky_folder_native_size(const kandinsky_folder* folder);

KANDINSKY_API size_t kandinsky_folder_component_count(const kandinsky_folder* folder);
KANDINSKY_API kandinsky_status kandinsky_folder_component(const kandinsky_folder* folder,
                                                          size_t index,
                                                          kandinsky_component_info* info);

/* ---- Engine ---- */

/** Loaded models and the state of one job. */
typedef struct kandinsky_engine kandinsky_engine;

typedef struct kandinsky_engine_options {
  uint32_t struct_size;
  const char* model_dir;   /* decoder folder in hub layout; required */
  const char* prior_dir;   /* prior folder; NULL: the folder beside the model named <model>-prior */
  const char* device;      /* "auto" (default), "cpu", "cuda", "cuda:1", ...; in lower case */
  const char* precision;   /* "auto" (default), "fp32", "bf16", "fp16" (not on a CPU) */
  const char* inpaint_dir; /* inpainting model's folder; NULL: the one beside the model named
                              <model>-inpaint, if there is one; "": none */
  uint64_t max_memory;     /* bytes that a job may hold in memory, libraries included; 0 (default):
                              what is free when it begins. Without effect on an accelerator */
  const char* without; /* names of speed-ups to leave out, separated by commas, for measuring and
                          for looking for faults; NULL: none */
  const char* prior_device; /* where the prior, its text encoder and the image encoder compute, in
                               the precision that suits it, e.g. "cpu" beside a small GPU; NULL:
                               `device` */
  int32_t int8_weights;     /* 1: the prior and the text encoder hold their matrices in int8, with a
                               scale for each row: half the memory of bf16, other pictures. Weights
                               that are read layer by layer stay exact. Default 0 */
} kandinsky_engine_options;

typedef struct kandinsky_engine_info {
  uint32_t struct_size;
  const char* family;      /* lives for ever */
  const char* device;      /* what "auto" became; these strings live as long as the engine */
  const char* precision;   /* likewise: "fp32", "bf16" or "fp16" */
  const char* reason;      /* why that device and precision, in one line */
  const char* prior_dir;   /* the folder that is used */
  int32_t native_size;     /* side in pixels of the pictures the model was trained on */
  int32_t latent_channels; /* of latents, 4 */
  int32_t latent_factor;   /* pixels per latent in each direction, 8 */
  int32_t size_multiple;   /* inside, sizes are rounded up to a multiple of this, 64 */
  const char* inpaint_dir; /* likewise as prior_dir; "" if there is none: masks then work with the
                              model itself */
} kandinsky_engine_info;

KANDINSKY_INIT(kandinsky_engine_options)
KANDINSKY_INIT(kandinsky_engine_info)

/** Checks both folders and the headers of all their files. Weights are loaded by the first job that
 * needs them. */
KANDINSKY_API kandinsky_status kandinsky_engine_open(const kandinsky_engine_options* options,
                                                     kandinsky_engine** out);

/** Frees the engine and all it holds. No job may be running. */
KANDINSKY_API void kandinsky_engine_free(kandinsky_engine* engine);

KANDINSKY_API kandinsky_status kandinsky_engine_get_info(const kandinsky_engine* engine,
                                                         kandinsky_engine_info* info);

/** What a picture needs of memory. */
typedef struct kandinsky_memory_plan {
  uint32_t struct_size;
  int32_t holds_everything; /* 1: no weights are freed or read again during the job */
  uint64_t budget;          /* bytes that it may hold: max_memory, or what is free */
  uint64_t peak;            /* bytes that it will hold at most */
  uint64_t least;           /* the smallest max_memory with which it could be painted */
  const char* text; /* what is held when, for people; lives until the engine's next plan is asked
                       for */
} kandinsky_memory_plan;

KANDINSKY_INIT(kandinsky_memory_plan)

/** Tells how a batch of pictures from texts would be held in memory, without doing anything. Jobs
 * follow such a plan of their own and say it through the message callback where not everything
 * stays loaded. OUT_OF_MEMORY, here as from jobs before any work, if the budget is too small; the
 * message names the smallest possible one. UNSUPPORTED on an accelerator, where everything is
 * loaded. BUSY while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_plan_memory(kandinsky_engine* engine, int32_t width,
                                                            int32_t height, int32_t batch_size,
                                                            kandinsky_memory_plan* plan);

/** Frees all weights; the next job loads again what it needs. BUSY while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_unload(kandinsky_engine* engine);

/** Asks the running job to end with KANDINSKY_CANCELLED within its next step. A job runs from the
 * call to its return, the reading of its options included. Without one, the next job is meant if
 * another thread begins it within a second: a thread that was just started may not have come to its
 * call. */
KANDINSKY_API void kandinsky_engine_cancel(kandinsky_engine* engine);

/* ---- Progress ---- */

typedef enum kandinsky_action {
  KANDINSKY_CONTINUE = 0,
  KANDINSKY_FINISH = 1, /* end this loop after at least one step and go on with what there is, as
                           "skip" and "interrupt" of hosts mean */
  KANDINSKY_CANCEL = 2  /* end the job with KANDINSKY_CANCELLED */
} kandinsky_action;

typedef struct kandinsky_progress {
  uint32_t struct_size;
  const char* stage; /* "load", "text_encoder", "image_encoder", "prior", "denoise", "encode",
                        "decode"; lives for ever */
  int32_t step;      /* steps done, 0..steps */
  int32_t steps;
  /* In stage "denoise" the predicted clean latents [shape[0], shape[1], shape[2], shape[3]] for
     previews, valid during the call; NULL before the first step and in all other stages. */
  const float* latents;
  int32_t shape[4];
} kandinsky_progress;

/** Called before the first step of each stage (step 0) and after each step. */
typedef kandinsky_action (*kandinsky_progress_fn)(const kandinsky_progress* progress,
                                                  void* user_data);

/** Sets the engine's progress callback, NULL for none. Not while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_set_progress(kandinsky_engine* engine,
                                                             kandinsky_progress_fn callback,
                                                             void* user_data);

/** A remark for the person, e.g. that a prompt was cut. The text is valid during the call. To end
 * the job from here, call kandinsky_engine_cancel(). */
typedef void (*kandinsky_message_fn)(const char* message, void* user_data);

/** Sets the engine's message callback, NULL for none. Not while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_set_message(kandinsky_engine* engine,
                                                            kandinsky_message_fn callback,
                                                            void* user_data);

/* ---- Stage 1: texts -> embeds ---- */

/** What guides a batch of pictures on one side (positive or negative): per picture an image
 * embedding and the text encoder's pooled and hidden states. Held by value in ordinary memory;
 * independent of the engine that made it. */
typedef struct kandinsky_embeds kandinsky_embeds;

typedef struct kandinsky_prompt_options {
  uint32_t struct_size;
  int32_t batch_size;                  /* 1..64 */
  const char* const* prompts;          /* [batch_size] */
  const char* const* negative_prompts; /* [batch_size], or NULL: absent */
  const uint64_t* seeds;               /* [batch_size]; picture i depends on seeds[i] alone */
  int32_t prior_num_inference_steps;   /* 2..1000, default 25 */
  double prior_guidance_scale;         /* 0..100, default 4; 1 and less: off */
  const char* const*
      negative_prior_prompts; /* [batch_size]: what the prior steers away from, where
                                 it is not negative_prompts; NULL: negative_prompts */
  const char* negative_image; /* the image side of the negative embeds: "zero" (default), the
                                 embedding of an empty picture, which has no colour; "prior", the
                                 prior's result for the negative prompt, even if that is "", and
                                 the empty picture if it is absent, as the reference does */
  int32_t parse_weights; /* 1 (default): (word), (word:1.3), [word] and BREAK mean what they do in
                            hosts; 0: they are plain text */
  int32_t long_prompts; /* 1: prompts are read in chunks of 75 tokens; 0 (default): what comes after
                           the first 75 is left out */
} kandinsky_prompt_options;

KANDINSKY_INIT(kandinsky_prompt_options)

/** Encodes texts and samples the prior. Both outputs are the caller's. Either output pointer may be
 * NULL if that side is not wanted; work for it alone is then left out. */
KANDINSKY_API kandinsky_status kandinsky_encode_prompts(kandinsky_engine* engine,
                                                        const kandinsky_prompt_options* options,
                                                        kandinsky_embeds** embeds,
                                                        kandinsky_embeds** negative_embeds);

/** Embeds of pictures instead of texts, one row each: image_embeds is what the image encoder sees,
 * the text part that of an empty text. Alone they give variations of a picture, combined with
 * others a mix. */
KANDINSKY_API kandinsky_status kandinsky_encode_images(kandinsky_engine* engine,
                                                       const kandinsky_picture* pictures,
                                                       size_t count, kandinsky_embeds** out);

KANDINSKY_API void kandinsky_embeds_free(kandinsky_embeds* embeds);
KANDINSKY_API int32_t kandinsky_embeds_batch_size(const kandinsky_embeds* embeds);

/** A tensor of the object: "image_embeds" [B, E], "prompt_embeds" [B, E] or
 * "text_encoder_hidden_states" [B, T, X], where T is 77 unless prompts were read in chunks;
 * shape[2] is 1 where there are two dimensions. *data lives as long as the object. */
KANDINSKY_API kandinsky_status kandinsky_embeds_tensor(const kandinsky_embeds* embeds,
                                                       const char* name, const float** data,
                                                       int64_t shape[3]);

/** Mixes. method "sum": image_embeds is the plain weighted sum over all items, weights need not add
 * up to 1. Source: diffusers, KandinskyPriorPipeline.interpolate. "slerp": spherical interpolation
 * by each item's share of the weights, none negative and not all 0. The text part is that of
 * `text`, or the first item's if that is NULL. All items need the same shapes; one of a single row
 * serves all rows of the others. Weights: -1e6..1e6. */
KANDINSKY_API kandinsky_status kandinsky_embeds_combine(const kandinsky_embeds* const* items,
                                                        const double* weights, size_t count,
                                                        const kandinsky_embeds* text,
                                                        const char* method, kandinsky_embeds** out);

/** All rows of all items, in order. */
KANDINSKY_API kandinsky_status kandinsky_embeds_concat(const kandinsky_embeds* const* items,
                                                       size_t count, kandinsky_embeds** out);

/** Copies of some rows, in the order asked; a row may come more than once. */
KANDINSKY_API kandinsky_status kandinsky_embeds_select(const kandinsky_embeds* embeds,
                                                       const int32_t* rows, size_t count,
                                                       kandinsky_embeds** out);

/** Writes to and reads from a small safetensors file. An existing file is replaced whole or not at
 * all. */
KANDINSKY_API kandinsky_status kandinsky_embeds_save(const kandinsky_embeds* embeds,
                                                     const char* path);
KANDINSKY_API kandinsky_status kandinsky_embeds_load(const char* path, kandinsky_embeds** out);

/* ---- Stage 2: noise + embeds -> latents ---- */

/** A row of embeds that guides one picture during some steps. Rows of one picture and step add up
 * by their weights (composable diffusion, the "AND" of hosts); prompt editing is a row after
 * another. */
typedef struct kandinsky_condition {
  int32_t row;        /* of the embeds, which may have any number of rows up to 1024 */
  int32_t picture;    /* 0..batch_size-1 */
  int32_t first_step; /* 1..last_step */
  int32_t last_step; /* up to num_inference_steps; counted over the whole schedule, also where image
                        to image leaves out its beginning */
  double weight;     /* -100..100; of a negative condition: 1 */
} kandinsky_condition;

typedef struct kandinsky_denoise_options {
  uint32_t struct_size;
  int32_t batch_size;          /* as in the embeds, unless there are conditions */
  int32_t width;               /* pixels, 1..16384; default 512 */
  int32_t height;              /* likewise */
  const uint64_t* seeds;       /* [batch_size]; picture i depends on seeds[i] alone */
  const char* sampler;         /* one of kandinsky_sampler_name(), any case; default "DDIM" */
  int32_t num_inference_steps; /* 1..1000 (DDIM: 999), default 50 */
  double guidance_scale;       /* 0..100, default 4; 1 and less: off */
  const float* noise;      /* latents of unit normal noise to start from, instead of the seeds' own;
                              default NULL */
  const char* scheduler;   /* one of kandinsky_scheduler_name(), any case; default "Automatic" */
  double guidance_rescale; /* 0..1, default 0, off: pulls strong guidance back to the contrast of
                              the unguided prediction. Source: diffusers, rescale_noise_cfg */
  double guidance_start; /* part of the steps, 0..1, before which there is no guidance; default 0 */
  double guidance_end;   /* and after which there is none; default 1 */
  int32_t tiling;        /* 1: opposite borders fit; sizes must be multiples of size_multiple */

  /* Variations of the noise. */
  const uint64_t* variation_seeds; /* [batch_size], or NULL (default) */
  double variation_strength;       /* 0..1, default 0: how far from the seeds' noise to the
                                      variation seeds' */
  int32_t seed_resize_width; /* draw the noise of a picture of this size and centre it, so that a
                                seed keeps its composition; 0 (default): off */
  int32_t seed_resize_height;

  /* Image to image. */
  const float* init_latents; /* latents to start from, or NULL (default): text to image */
  double strength;        /* 0..1, default 0.75: the part of the schedule that runs on init_latents;
                             0 gives them back, 1 is free of them */
  const char* init_noise; /* "matched" (default): noise of the first step that runs; "reference": as
                             diffusers, which is noisier; DDIM and DDPM only */

  /* Inpainting. */
  const float* mask;       /* [batch_size, 1, latent height, latent width]; 1: repaint, 0: keep
                              init_latents. NULL (default): none */
  const char* mask_method; /* "auto" (default): the inpainting model if the engine has one, else
                              "blend"; "model"; "blend": the model itself, putting init_latents back
                              outside the mask at each step */

  /* Prompts that change or combine, up to 65536 on either side. NULL (default): row i guides
     picture i. */
  const kandinsky_condition* conditions;
  size_t condition_count;
  const kandinsky_condition* negative_conditions;
  size_t negative_condition_count;

  int32_t cache_interval; /* 1..100, default 1, off: how many evaluations of a picture one run of
                             the UNet's inner levels serves. An approximation: 2 takes about three
                             fifths of the time. Source: DeepCache (CVPR 2024) */
} kandinsky_denoise_options;

KANDINSKY_INIT(kandinsky_denoise_options)

/** Side lengths of the latents of a picture: ceil(pixels / size_multiple) * size_multiple /
 * latent_factor. */
KANDINSKY_API kandinsky_status kandinsky_latent_size(const kandinsky_engine* engine, int32_t width,
                                                     int32_t height, int32_t* latent_width,
                                                     int32_t* latent_height);

/** Runs the sampler. `latents` takes batch_size * channels * latent_height * latent_width numbers;
 * `size` must be just that. negative_embeds may be NULL when guidance is off. */
KANDINSKY_API kandinsky_status kandinsky_denoise(kandinsky_engine* engine,
                                                 const kandinsky_embeds* embeds,
                                                 const kandinsky_embeds* negative_embeds,
                                                 const kandinsky_denoise_options* options,
                                                 float* latents, size_t size);

/* ---- Stage 3: latents <-> pictures ---- */

typedef struct kandinsky_decode_options {
  uint32_t struct_size;
  int32_t batch_size;
  int32_t width;  /* pixels, 1..16384; default 512 */
  int32_t height; /* likewise */
  int32_t tiling; /* 1: opposite borders fit; sizes must be multiples of size_multiple */
} kandinsky_decode_options;

KANDINSKY_INIT(kandinsky_decode_options)

/** Decodes latents of [batch_size, channels, latent size of width x height] into pictures, cropped
 * to width x height. latents_size and pictures_size count elements and must be just right. */
KANDINSKY_API kandinsky_status kandinsky_decode(kandinsky_engine* engine,
                                                const kandinsky_decode_options* options,
                                                const float* latents, size_t latents_size,
                                                uint8_t* pictures, size_t pictures_size);

/** Encodes pictures [batch_size, height, width, 3] into latents. Sizes that are no multiple of
 * size_multiple are filled up by repeating the border. */
KANDINSKY_API kandinsky_status kandinsky_encode(kandinsky_engine* engine,
                                                const kandinsky_decode_options* options,
                                                const uint8_t* pictures, size_t pictures_size,
                                                float* latents, size_t latents_size);

/* ---- Tasks ---- */

/** Pictures to start from, for image to image and, with masks, inpainting. */
typedef struct kandinsky_source_options {
  uint32_t struct_size;
  const kandinsky_picture* pictures; /* 1 for the whole batch, or batch_size; any size and kind */
  size_t picture_count;
  /* None, 1, or batch_size; white: repaint, black and transparent: keep. Each as large as its
     picture, with which it is brought to the painted size. */
  const kandinsky_picture* masks;
  size_t mask_count;
  const char* resize;    /* to the painted size: "stretch" (default); "crop": cut off what overlaps;
                            "fill": add what is missing by repeating the border */
  int32_t mask_blur;     /* 0..64 pixels, default 4: softness of the border around the mask, as a
                            standard deviation */
  int32_t invert_mask;   /* 1: black: repaint; default 0 */
  const char* mask_fill; /* what the masked part holds at first: "original" (default), "fill"
                            (colours from around), "latent noise", "latent nothing" */
  int32_t erode_mask; /* 1 (default): the latents that are kept are those whose neighbours are kept
                         too, by the reference's rule; 0: all of them */
  int32_t composite;  /* 1 (default): outside the mask the pictures' own pixels, bit for bit; 0: as
                         the model painted them */
} kandinsky_source_options;

KANDINSKY_INIT(kandinsky_source_options)

/** Stages 1, 2 and 3 in a row. `pictures` takes batch_size * height * width * 3 bytes; `size` must
 * be just that. Both structs must name the same batch_size. Source: diffusers,
 * KandinskyPriorPipeline then KandinskyPipeline, each with a fresh generator of the picture's seed.
 */
KANDINSKY_API kandinsky_status kandinsky_text_to_image(kandinsky_engine* engine,
                                                       const kandinsky_prompt_options* prompts,
                                                       const kandinsky_denoise_options* denoise,
                                                       uint8_t* pictures, size_t size);

/** The same from pictures, each distinct one encoded once. denoise->init_latents and denoise->mask
 * must be NULL: they are made here. With strength 0 the result is the picture itself. Source:
 * diffusers, KandinskyImg2ImgPipeline and KandinskyInpaintPipeline. */
KANDINSKY_API kandinsky_status kandinsky_image_to_image(kandinsky_engine* engine,
                                                        const kandinsky_prompt_options* prompts,
                                                        const kandinsky_denoise_options* denoise,
                                                        const kandinsky_source_options* source,
                                                        uint8_t* pictures, size_t size);

/** Stages 2 and 3 from embeds of any kind, mixed ones for instance. `source` may be NULL: text to
 * image. negative_embeds may be NULL when guidance is off. */
KANDINSKY_API kandinsky_status kandinsky_paint(kandinsky_engine* engine,
                                               const kandinsky_embeds* embeds,
                                               const kandinsky_embeds* negative_embeds,
                                               const kandinsky_denoise_options* denoise,
                                               const kandinsky_source_options* source,
                                               uint8_t* pictures, size_t size);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* KANDINSKY_H_ */
