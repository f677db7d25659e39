/* kandinsky.h: the C interface of the Kandinsky engine.
 *
 * Conventions
 *  1. Every function that can fail returns a kandinsky_status. On anything but KANDINSKY_OK the
 *     outputs are untouched and kandinsky_last_error(), on the same thread, returns a message for
 *     the user.
 *  2. Strings are UTF-8 and NUL-terminated. Inputs are borrowed for the call. A returned
 *     `const char*` belongs to its object (or to the library); each getter documents its lifetime.
 *  3. Objects are created by a function with a `**out` parameter and freed by their `*_free`.
 *     Freeing NULL is allowed.
 *  4. The parameters of a call are a kandinsky_options object: values by name, each checked when it
 *     is set. kandinsky_option_get_info() and docs/options.md list names, defaults, ranges and
 *     meanings. Result structs start with `uint32_t struct_size`, which their `*_init` fills. Both
 *     may grow, so a program keeps working with a newer library.
 *  5. Images are uint8 [batch, height, width, 3], RGB, rows from the top, no padding. Latents are
 *     float32 [batch, channels, latent_height, latent_width], within -10000..10000. Both are plain
 *     buffers owned by the caller; sizes are in elements.
 *  6. One engine runs one job at a time; a second call meanwhile returns KANDINSKY_BUSY. An engine
 *     may be used from any thread, different engines at the same time. kandinsky_engine_cancel()
 *     may be called from any thread at any time.
 *  7. Callbacks run on the thread that called the engine, between steps, with the caller's own
 *     LibTorch state. They must not call the same engine, except to cancel it.
 *  8. Process-wide state of LibTorch (threads, grad mode, default dtype, global generator) is
 *     never changed, except for threads by kandinsky_set_num_threads(). A job computes on as many
 *     threads as OpenMP gives it: fewer than LibTorch's number with OMP_DYNAMIC and
 *     OMP_THREAD_LIMIT, and one if its caller is itself a thread of a parallel region.
 *  9. After fork() an engine belongs to the parent: in the child its jobs return
 *     KANDINSKY_INCOMPATIBLE. A child may open its own engines. But if the thread that forked had
 *     computed on several threads, it cannot do so again, since fork() does not copy OpenMP's
 *     threads: LibTorch's operators would hang, so jobs return KANDINSKY_INCOMPATIBLE. A new thread
 *     can, and so can a newly started process ("spawn").
 *
 * A whole image
 *     kandinsky_options* model = NULL;
 *     kandinsky_options_new("engine", &model);
 *     kandinsky_options_set_text(model, "model_dir", "models/Kandinsky/kandinsky-2-1");
 *     kandinsky_engine* engine = NULL;
 *     if (kandinsky_engine_open(model, &engine) != KANDINSKY_OK) {
 *       puts(kandinsky_last_error());
 *       return 1;
 *     }
 *
 *     const char* prompt = "a red circle on a white background";
 *     uint64_t seed = 1;
 *     kandinsky_options* options = NULL;
 *     kandinsky_options_new("text_to_image", &options);
 *     kandinsky_options_set_texts(options, "prompts", &prompt, 1);
 *     kandinsky_options_set_seeds(options, "seeds", &seed, 1);
 *     kandinsky_options_set_number(options, "guidance_scale", 4.0);
 *     static uint8_t pixels[512 * 512 * 3];
 *     if (kandinsky_text_to_image(engine, options, pixels, sizeof pixels) != KANDINSKY_OK ||
 *         kandinsky_image_save("circle.png", pixels, 512, 512, NULL) != KANDINSKY_OK)
 *       puts(kandinsky_last_error());
 *     kandinsky_options_free(options);
 *     kandinsky_options_free(model);
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

/** Of this header. A library of the same or a later version has everything that it declares. */
#define KANDINSKY_VERSION_MAJOR 0
#define KANDINSKY_VERSION_MINOR 1
#define KANDINSKY_VERSION_PATCH 0

/** Of the binary interface: raised when programs must be recompiled. The library's file name has
 * it, libkandinsky.so.1, so that a program never starts with another one. */
#define KANDINSKY_ABI_VERSION 1

/** The library's own KANDINSKY_ABI_VERSION, for programs that load it at run time. */
KANDINSKY_API uint32_t kandinsky_abi_version(void);

/* Declares NAME_init(NAME* value), which fills a struct with its defaults; NULL is ignored. It
   passes the struct's size in this header, since the library's struct may be larger. */
#define KANDINSKY_INIT(name)                                             \
  KANDINSKY_API void name##_init_sized(name* value, size_t struct_size); \
  static inline void name##_init(name* value) { name##_init_sized(value, sizeof(name)); }

/* ---- Status ---- */

typedef enum kandinsky_status {
  KANDINSKY_OK = 0,
  KANDINSKY_INVALID_ARGUMENT = 1, /* a value out of range, a wrong size, text that is not UTF-8 */
  KANDINSKY_NOT_FOUND = 2,        /* a folder, file or component is missing */
  KANDINSKY_CORRUPT_FILE =
      3, /* a file is truncated, malformed, or holds weights that are not finite */
  KANDINSKY_UNSUPPORTED = 4, /* well-formed, but not supported by this build */
  KANDINSKY_OUT_OF_MEMORY =
      5, /* the machine or its accelerator ran out of memory; the engine stays usable */
  KANDINSKY_CANCELLED = 6, /* kandinsky_engine_cancel() or a callback ended the job */
  KANDINSKY_BUSY = 7,      /* the engine is running another job */
  KANDINSKY_INCOMPATIBLE =
      8,                  /* parts do not fit together: folders, file versions, library versions */
  KANDINSKY_INTERNAL = 9, /* a broken invariant: please report it */
  KANDINSKY_IO = 10       /* a file cannot be read or written: a full disk, a missing permission,
                             too many open files, a name that is too long */
} kandinsky_status;

/** The message of this thread's last failure, "" if there was none. Valid until this thread's next
 * failing call. */
KANDINSKY_API const char* kandinsky_last_error(void);

/** The status as text, e.g. "not found". Static. */
KANDINSKY_API const char* kandinsky_status_name(kandinsky_status status);

/** The library's version, e.g. "0.1.0". Static. */
KANDINSKY_API const char* kandinsky_version(void);

/** The version of the LibTorch that this library was built for, e.g. "2.13.0". Static. */
KANDINSKY_API const char* kandinsky_torch_version(void);

/* ---- What the library offers ---- */

/** Number of samplers; their names as in hosts, e.g. "Euler a"; a one-line description of each. The
 * option "sampler" is "Automatic" by default: the one that kandinsky_engine_info's own_sampler
 * names. NULL for an index out of range. Static. */
KANDINSKY_API size_t kandinsky_sampler_count(void);
KANDINSKY_API const char* kandinsky_sampler_name(size_t index);
KANDINSKY_API const char* kandinsky_sampler_description(size_t index);

/** Number of schedulers (the spacing of a sampler's noise levels); their names as in hosts, e.g.
 * "Karras"; a one-line description of each. NULL for an index out of range. Static. */
KANDINSKY_API size_t kandinsky_scheduler_count(void);
KANDINSKY_API const char* kandinsky_scheduler_name(size_t index);
KANDINSKY_API const char* kandinsky_scheduler_description(size_t index);

/** Number of speed-ups: faster ways to compute the plain formulas, with the same result up to
 * rounding; their names, e.g. "packed-weights"; a one-line description of each. NULL for an index
 * out of range. Static. */
KANDINSKY_API size_t kandinsky_speedup_count(void);
KANDINSKY_API const char* kandinsky_speedup_name(size_t index);
KANDINSKY_API const char* kandinsky_speedup_description(size_t index);

/** Number of model families; their names, e.g. "kandinsky-2-1". NULL for an index out of range.
 * Static. */
KANDINSKY_API size_t kandinsky_family_count(void);
KANDINSKY_API const char* kandinsky_family_name(size_t index);

/* ---- Threads ---- */

/** Sets the number of threads with which LibTorch computes on the CPU, including the resizing of
 * images, for the whole process. For standalone programs: a host sets LibTorch's threads itself,
 * and the library uses that number. threads: 1 to 1024. Not while an engine works. */
KANDINSKY_API kandinsky_status kandinsky_set_num_threads(int32_t threads);

/* ---- Image files ---- */

/** An image: pixels [height, width, channels], rows from the top, no padding. Fill it yourself, or
 * use kandinsky_image_load. Inputs may have 1, 3 or 4 channels; transparent pixels become white.
 */
typedef struct kandinsky_image {
  const uint8_t* pixels;
  int32_t width;
  int32_t height;
  int32_t channels; /* 1: grey, 3: RGB, 4: RGBA */
} kandinsky_image;

/** Reads a PNG, JPEG or WebP file, rotated by its orientation tag; the first frame of an animation.
 * Free the result with kandinsky_image_free. */
KANDINSKY_API kandinsky_status kandinsky_image_load(const char* path, kandinsky_image** out);

/** The same from the bytes of such a file, up to 2^28. `name` is used in messages; NULL:
 * "the image". Free the result with kandinsky_image_free. */
KANDINSKY_API kandinsky_status kandinsky_image_decode(const uint8_t* bytes, size_t size,
                                                      const char* name, kandinsky_image** out);

/** Frees an image of kandinsky_image_load or kandinsky_image_decode, and nothing else. */
KANDINSKY_API void kandinsky_image_free(kandinsky_image* image);

/** Writes an RGB image as PNG, JPEG or WebP by the path's ending. `parameters` (may be NULL)
 * becomes a PNG text chunk of that name, as in hosts. An existing file is replaced atomically. */
KANDINSKY_API kandinsky_status kandinsky_image_save(const char* path, const uint8_t* pixels,
                                                    int32_t width, int32_t height,
                                                    const char* parameters);

/** The same into memory: `format` is "png", "jpeg" or "webp". Free *out, which has *out_size bytes,
 * with kandinsky_bytes_free. */
KANDINSKY_API kandinsky_status kandinsky_image_encode(const char* format, const uint8_t* pixels,
                                                      int32_t width, int32_t height,
                                                      const char* parameters, uint8_t** out,
                                                      size_t* out_size);

/** Frees bytes of kandinsky_image_encode, and nothing else. */
KANDINSKY_API void kandinsky_bytes_free(uint8_t* bytes);

/** Fails as kandinsky_image_save and kandinsky_embeds_save would because of the path, such as a
 * name that is too long or a folder without write permission: a check before the work. Leaves no
 * file. */
KANDINSKY_API kandinsky_status kandinsky_check_writable(const char* path);

/* ---- Options ---- */

/** The parameters of a call. An object is for one operation, given by name:
 *    "engine"          of kandinsky_engine_open
 *    "encode_prompts"  of kandinsky_encode_prompts
 *    "denoise"         of kandinsky_denoise
 *    "decode", "encode"          of kandinsky_decode and kandinsky_encode
 *    "text_to_image", "image_to_image", "generate"   of the functions of these names
 * A call reads them until it returns and does not change them; they can be used for any number of
 * calls. */
typedef struct kandinsky_options kandinsky_options;

/** Creates options of an operation, with their defaults. Free them with kandinsky_options_free. */
KANDINSKY_API kandinsky_status kandinsky_options_new(const char* operation,
                                                     kandinsky_options** out);
KANDINSKY_API void kandinsky_options_free(kandinsky_options* options);

/** A row of embeds that guides one image during some steps. Rows of one image and step are summed
 * with their weights (composable diffusion, "AND" in hosts); prompt editing is one row after
 * another. */
typedef struct kandinsky_condition {
  int32_t row;        /* of the embeds, which may have any number of rows up to 1024 */
  int32_t image;      /* 0..batch_size-1 */
  int32_t first_step; /* 1..last_step */
  int32_t last_step;  /* up to num_inference_steps; counted over the whole schedule, even if
                         image to image skips its beginning */
  double weight;      /* -100..100; of a negative condition: 1 */
} kandinsky_condition;

/* Sets an option. Values are copied. INVALID_ARGUMENT, with nothing changed, for an unknown name
   (the message suggests the nearest one), a wrong type or a value out of range. Conditions on
   several options or on the model are checked by the call. A count of 0 means the default, as does
   NULL for floats. */
KANDINSKY_API kandinsky_status kandinsky_options_set_flag(kandinsky_options* options,
                                                          const char* name, int32_t value);
KANDINSKY_API kandinsky_status kandinsky_options_set_integer(kandinsky_options* options,
                                                             const char* name, int64_t value);
KANDINSKY_API kandinsky_status kandinsky_options_set_number(kandinsky_options* options,
                                                            const char* name, double value);
KANDINSKY_API kandinsky_status kandinsky_options_set_text(kandinsky_options* options,
                                                          const char* name, const char* value);
KANDINSKY_API kandinsky_status kandinsky_options_set_texts(kandinsky_options* options,
                                                           const char* name,
                                                           const char* const* values, size_t count);
KANDINSKY_API kandinsky_status kandinsky_options_set_seeds(kandinsky_options* options,
                                                           const char* name, const uint64_t* values,
                                                           size_t count);
KANDINSKY_API kandinsky_status kandinsky_options_set_floats(kandinsky_options* options,
                                                            const char* name, const float* values,
                                                            const int64_t shape[4]);
KANDINSKY_API kandinsky_status kandinsky_options_set_images(kandinsky_options* options,
                                                            const char* name,
                                                            const kandinsky_image* values,
                                                            size_t count);
KANDINSKY_API kandinsky_status kandinsky_options_set_conditions(kandinsky_options* options,
                                                                const char* name,
                                                                const kandinsky_condition* values,
                                                                size_t count);

/** An option's value as text, in the form of default_value below: the value that was set, else the
 * one from "preset" or "sigmas", else the default. INVALID_ARGUMENT for a list. The text is valid
 * until the next call for these options. */
KANDINSKY_API kandinsky_status kandinsky_options_get_text(kandinsky_options* options,
                                                          const char* name, const char** out);

/** The type of an option, which determines its setter. */
typedef enum kandinsky_option_type {
  KANDINSKY_FLAG = 0,    /* 0 or 1 */
  KANDINSKY_INTEGER = 1, /* whole numbers */
  KANDINSKY_NUMBER = 2,  /* finite; kandinsky_options_set_integer also sets it */
  KANDINSKY_TEXT = 3,    /* UTF-8; if there are words, one of them, in any case */
  KANDINSKY_PATH = 4,    /* kandinsky_options_set_text: bytes in the system's encoding */
  KANDINSKY_TEXTS = 5,   /* up to 64 */
  KANDINSKY_SEEDS = 6,   /* up to 64 */
  KANDINSKY_FLOATS = 7,
  KANDINSKY_IMAGES = 8, /* up to 64 */
  KANDINSKY_CONDITIONS = 9,
  KANDINSKY_PATHS = 10 /* up to 64; kandinsky_options_set_texts: each as KANDINSKY_PATH */
} kandinsky_option_type;

/** The description of an option. All strings are static. */
typedef struct kandinsky_option_info {
  uint32_t struct_size;
  kandinsky_option_type type;
  const char* name;
  const char* group;         /* heading for a page or a help text, e.g. "Sampling" */
  const char* default_value; /* as text, "false" or "true" for a flag; NULL without a
                                default value, as for lists */
  double minimum;            /* of integers and numbers */
  double maximum;            /* likewise; for lists: the maximum count */
  const char* const* words;  /* [word_count]: allowed values of a text; NULL for any text */
  size_t word_count;
  const char* unit;   /* of integers and numbers, e.g. "pixels"; may be "" */
  const char* help;   /* one line */
  const char* source; /* of the formula or the meaning; may be "" */
} kandinsky_option_info;

KANDINSKY_INIT(kandinsky_option_info)

/** Number of operations; their names. NULL for an index out of range. Static. */
KANDINSKY_API size_t kandinsky_operation_count(void);
KANDINSKY_API const char* kandinsky_operation_name(size_t index);

/** Number of an operation's options, 0 for an unknown operation; the description of each. */
KANDINSKY_API size_t kandinsky_option_count(const char* operation);
KANDINSKY_API kandinsky_status kandinsky_option_get_info(const char* operation, size_t index,
                                                         kandinsky_option_info* info);

/* ---- Folders ---- */

/** Recognises a folder by its model_index.json alone. family: its model family, or "" if unknown.
 * role: "model" for a folder to open an engine with, "hint" for one that needs hints, "inpaint" for
 * one that adds an inpainting UNet to a model and can also be opened itself, "prior", or "". Both
 * are static. */
KANDINSKY_API kandinsky_status kandinsky_folder_recognize(const char* dir, const char** family,
                                                          const char** role);

/** Identifies the weights in a model folder, independent of the names of the folder and its files:
 * a SHA-256 of the files that an engine would load. It covers the name, type, shape and first 4 KiB
 * of each tensor and, of each file, the size and 256 evenly spaced blocks of 4 KiB. digest: 64
 * digits and a NUL. */
KANDINSKY_API kandinsky_status kandinsky_folder_digest(const char* dir, char digest[65]);

/** The contents of a model folder in diffusers' folder layout. Reading it loads only file headers,
 * no weights. */
typedef struct kandinsky_folder kandinsky_folder;

typedef struct kandinsky_component_info {
  uint32_t struct_size;
  const char* name;       /* e.g. "unet"; valid as long as the folder, as all strings here */
  const char* class_name; /* e.g. "UNet2DConditionModel" */
  const char* dtype; /* of the weights: "fp32", "fp16", "bf16", "mixed"; "" for a component without
                        weights */
  uint64_t parameters; /* elements of all its tensors; 0 for a component without weights */
  uint64_t tensors;
  uint64_t bytes;     /* of its weight files */
  int32_t is_checked; /* 1: everything that a job needs of it was checked, except the values of
                         its weights; 0: no job needs it, or the family is unknown, and only its
                         config and file headers were read */
} kandinsky_component_info;

KANDINSKY_INIT(kandinsky_component_info)

/** Reads a model's or a prior's model_index.json, and the configs, file headers and tokenizers of
 * all components in it. Fails for a component that is missing, corrupt or does not fit its config,
 * as opening an engine would. Only opening an engine checks whether folders fit together. */
KANDINSKY_API kandinsky_status kandinsky_folder_open(const char* dir, kandinsky_folder** out);
KANDINSKY_API void kandinsky_folder_free(kandinsky_folder* folder);

/** The pipeline class of model_index.json, e.g. "KandinskyPipeline". Valid as long as the
 * folder, as all getters' results. For NULL they return NULL or 0. */
KANDINSKY_API const char* kandinsky_folder_pipeline(const kandinsky_folder* folder);

/** The folder's model family, or "" if unknown. Static. */
KANDINSKY_API const char* kandinsky_folder_family(const kandinsky_folder* folder);

/** Side in pixels of the images that the model was trained on; 0 for a prior folder or an unknown
 * family. */
KANDINSKY_API int32_t kandinsky_folder_native_size(const kandinsky_folder* folder);

KANDINSKY_API size_t kandinsky_folder_component_count(const kandinsky_folder* folder);
KANDINSKY_API kandinsky_status kandinsky_folder_component(const kandinsky_folder* folder,
                                                          size_t index,
                                                          kandinsky_component_info* info);

/* ---- Engine ---- */

/** Loaded models and the state of one job. */
typedef struct kandinsky_engine kandinsky_engine;

typedef struct kandinsky_engine_info {
  uint32_t struct_size;
  const char* family;      /* static */
  const char* device;      /* chosen for "auto"; these strings are valid as long as the engine */
  const char* precision;   /* likewise: "fp32", "bf16" or "fp16" */
  const char* reason;      /* for this device and precision, in one line */
  const char* prior_dir;   /* the folder in use */
  int32_t native_size;     /* side in pixels of the images the model was trained on */
  int32_t latent_channels; /* of latents, 4 */
  int32_t latent_factor;   /* pixels per latent in each direction, 8 */
  int32_t size_multiple;   /* sizes are rounded up to a multiple of this internally, 64 */
  const char* inpaint_dir; /* likewise; "" if there is none, and the model itself inpaints */
  const char* changes; /* weights that are not the model's own, for an image's parameters: a line
                          for each option, such as "unet: file.safetensors [1a2b3c4d]\n", with a
                          short hash of the file. Valid as long as the engine */
  int32_t takes_hints; /* 1: the model needs hints, such as depth maps */
  const char* own_sampler; /* what the sampler "Automatic" is; static */
} kandinsky_engine_info;

KANDINSKY_INIT(kandinsky_engine_info)

/** Checks both folders and the headers of all their files. Weights are loaded by the first job that
 * needs them. */
KANDINSKY_API kandinsky_status kandinsky_engine_open(const kandinsky_options* options,
                                                     kandinsky_engine** out);

/** Frees the engine and everything in it. No job may be running. */
KANDINSKY_API void kandinsky_engine_free(kandinsky_engine* engine);

KANDINSKY_API kandinsky_status kandinsky_engine_get_info(const kandinsky_engine* engine,
                                                         kandinsky_engine_info* info);

/** The memory plan of an image. */
typedef struct kandinsky_memory_plan {
  uint32_t struct_size;
  int32_t holds_everything; /* 1: no weights are freed or read again during the job */
  uint64_t budget;          /* bytes allowed: max_memory, or the free memory */
  uint64_t peak;            /* expected of the next such job, in bytes */
  uint64_t least;           /* the smallest max_memory that would work */
  const char* text;         /* a description for the user; valid until the engine's next plan */
} kandinsky_memory_plan;

KANDINSKY_INIT(kandinsky_memory_plan)

/** Plans the memory of a batch of images from texts, without running it. Each job makes such a plan
 * and reports it through the message callback unless everything stays loaded. OUT_OF_MEMORY, here
 * as from jobs before any work, if the budget is too small; the message gives the smallest possible
 * one. UNSUPPORTED on an accelerator, where everything is loaded. BUSY while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_plan_memory(kandinsky_engine* engine, int32_t width,
                                                            int32_t height, int32_t batch_size,
                                                            kandinsky_memory_plan* plan);

/** Merges these LoRA files into the weights from the next job on, each "FILE" or "FILE:WEIGHT",
 * instead of the previous ones; a count of 0 removes all. Only networks whose weights change are
 * loaded again, also for a file that was written again since. With nothing changed: INCOMPATIBLE
 * for a LoRA of another model, with tensor and shapes, and errors of opening a file. BUSY while a
 * job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_set_loras(kandinsky_engine* engine,
                                                          const char* const* loras, size_t count);

/** Frees all weights; the next job loads what it needs again. BUSY while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_unload(kandinsky_engine* engine);

/** Cancels the running job: it ends with KANDINSKY_CANCELLED within its next step. A job runs from
 * the call to its return, including the reading of its options. If none runs, this cancels the next
 * job that starts on another thread within a second, since a thread that was just started may not
 * have reached its call yet. */
KANDINSKY_API void kandinsky_engine_cancel(kandinsky_engine* engine);

/* ---- Progress ---- */

typedef enum kandinsky_action {
  KANDINSKY_CONTINUE = 0,
  KANDINSKY_FINISH = 1, /* end this loop after at least one step and continue with its result, as
                           for "skip" and "interrupt" in hosts */
  KANDINSKY_CANCEL = 2  /* end the job with KANDINSKY_CANCELLED */
} kandinsky_action;

typedef struct kandinsky_progress {
  uint32_t struct_size;
  const char* stage; /* "load", "text_encoder", "image_encoder", "prior", "denoise", "encode",
                        "decode"; static */
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

/** A remark for the user, e.g. that a prompt was truncated. The text is valid during the call. To
 * end the job from here, call kandinsky_engine_cancel(). */
typedef void (*kandinsky_message_fn)(const char* message, void* user_data);

/** Sets the engine's message callback, NULL for none. Not while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_set_message(kandinsky_engine* engine,
                                                            kandinsky_message_fn callback,
                                                            void* user_data);

/* ---- Other weight formats ---- */

/** Converts weights to folders in diffusers' layout: `output` with the decoder, <output>-prior and
 * <output>-inpaint, as far as the inputs have them. inputs: original checkpoints of Kandinsky 2.1,
 * folders of them, and folders in diffusers' layout, which supply what the others lack. precision:
 * "fp32", "fp16" or "bf16". Files are written whole or not at all, and kept if an earlier call
 * finished them from the same inputs. NOT_FOUND if something is missing, after converting the rest;
 * the message names it and its source. The callbacks, which may be NULL, are called on this thread;
 * any action but KANDINSKY_CONTINUE stops. */
KANDINSKY_API kandinsky_status kandinsky_convert(const char* const* inputs, size_t count,
                                                 const char* output, const char* precision,
                                                 kandinsky_progress_fn progress,
                                                 kandinsky_message_fn message, void* user_data);

/* ---- Stage 1: texts -> embeds ---- */

/** The conditioning of a batch of images on one side (positive or negative): per image an image
 * embedding and, if the decoder reads texts, the text encoder's pooled and hidden states. Held in
 * CPU memory, independent of the engine that made it. */
typedef struct kandinsky_embeds kandinsky_embeds;

/** Encodes texts and samples the prior. The caller owns both outputs. Either output pointer may be
 * NULL, which skips the work that only that side needs. */
KANDINSKY_API kandinsky_status kandinsky_encode_prompts(kandinsky_engine* engine,
                                                        const kandinsky_options* options,
                                                        kandinsky_embeds** embeds,
                                                        kandinsky_embeds** negative_embeds);

/** Embeds of images instead of texts, one row each: image_embeds is the image encoder's output, the
 * text part that of an empty text. Alone they give variations of an image, combined with others a
 * mix. */
KANDINSKY_API kandinsky_status kandinsky_encode_images(kandinsky_engine* engine,
                                                       const kandinsky_image* images, size_t count,
                                                       kandinsky_embeds** out);

KANDINSKY_API void kandinsky_embeds_free(kandinsky_embeds* embeds);
KANDINSKY_API int32_t kandinsky_embeds_batch_size(const kandinsky_embeds* embeds);

/** A tensor of the object: "image_embeds" [B, E], and for Kandinsky 2.1 "prompt_embeds" [B, E] or
 * "text_encoder_hidden_states" [B, T, X], where T is 77 unless prompts were encoded in chunks;
 * shape[2] is 0 for two dimensions. *data is valid as long as the object. */
KANDINSKY_API kandinsky_status kandinsky_embeds_tensor(const kandinsky_embeds* embeds,
                                                       const char* name, const float** data,
                                                       int64_t shape[3]);

/** Mixes. method "sum": image_embeds is the plain weighted sum over all items, weights need not sum
 * to 1. Source: diffusers, KandinskyPriorPipeline.interpolate. "slerp": spherical interpolation
 * by each item's share of the weights, none negative and not all 0. The text part is that of
 * `text`, or the first item's if that is NULL. All items need the same shapes; an item with a
 * single row is used for all rows of the others. Weights: -1e6..1e6. */
KANDINSKY_API kandinsky_status kandinsky_embeds_combine(const kandinsky_embeds* const* items,
                                                        const double* weights, size_t count,
                                                        const kandinsky_embeds* text,
                                                        const char* method, kandinsky_embeds** out);

/** All rows of all items, in order. */
KANDINSKY_API kandinsky_status kandinsky_embeds_concat(const kandinsky_embeds* const* items,
                                                       size_t count, kandinsky_embeds** out);

/** Copies of some rows, in the given order; a row may be given more than once. */
KANDINSKY_API kandinsky_status kandinsky_embeds_select(const kandinsky_embeds* embeds,
                                                       const int32_t* rows, size_t count,
                                                       kandinsky_embeds** out);

/** Writes to and reads from a small safetensors file. An existing file is replaced atomically. */
KANDINSKY_API kandinsky_status kandinsky_embeds_save(const kandinsky_embeds* embeds,
                                                     const char* path);
KANDINSKY_API kandinsky_status kandinsky_embeds_load(const char* path, kandinsky_embeds** out);

/* ---- Stage 2: noise + embeds -> latents ---- */

/** Side lengths of the latents of an image: ceil(pixels / size_multiple) * size_multiple /
 * latent_factor. */
KANDINSKY_API kandinsky_status kandinsky_latent_size(const kandinsky_engine* engine, int32_t width,
                                                     int32_t height, int32_t* latent_width,
                                                     int32_t* latent_height);

/** Runs the sampler. `latents` has batch_size * channels * latent_height * latent_width values;
 * `size` must be exactly that. negative_embeds may be NULL when guidance is off. */
KANDINSKY_API kandinsky_status kandinsky_denoise(kandinsky_engine* engine,
                                                 const kandinsky_embeds* embeds,
                                                 const kandinsky_embeds* negative_embeds,
                                                 const kandinsky_options* options, float* latents,
                                                 size_t size);

/* ---- Stage 3: latents <-> images ---- */

/** Decodes latents [batch, channels, latent size of width x height] into images, cropped to width x
 * height. Sizes count elements: images_size is batch * width * height * 3, latents_size fits it. */
KANDINSKY_API kandinsky_status kandinsky_decode(kandinsky_engine* engine,
                                                const kandinsky_options* options,
                                                const float* latents, size_t latents_size,
                                                uint8_t* images, size_t images_size);

/** Encodes images [batch, height, width, 3] into latents. Sizes that are not multiples
 * of size_multiple are padded by repeating the border. */
KANDINSKY_API kandinsky_status kandinsky_encode(kandinsky_engine* engine,
                                                const kandinsky_options* options,
                                                const uint8_t* images, size_t images_size,
                                                float* latents, size_t latents_size);

/* ---- Tasks ---- */

/** Stages 1, 2 and 3 in a row. `images` has batch_size * height * width * 3 bytes; `size` must be
 * exactly that. Source: diffusers, KandinskyPriorPipeline then KandinskyPipeline, each with a fresh
 * generator of the image's seed. */
KANDINSKY_API kandinsky_status kandinsky_text_to_image(kandinsky_engine* engine,
                                                       const kandinsky_options* options,
                                                       uint8_t* images, size_t size);

/** The same from images and, with masks, inpainting; each distinct image is encoded once. With
 * strength 0 the result is the image itself. Source: diffusers, KandinskyImg2ImgPipeline and
 * KandinskyInpaintPipeline. */
KANDINSKY_API kandinsky_status kandinsky_image_to_image(kandinsky_engine* engine,
                                                        const kandinsky_options* options,
                                                        uint8_t* images, size_t size);

/** Stages 2 and 3 from any embeds, for instance mixed ones; without images in the options,
 * from noise. negative_embeds may be NULL when guidance is off. */
KANDINSKY_API kandinsky_status kandinsky_generate(kandinsky_engine* engine,
                                                  const kandinsky_embeds* embeds,
                                                  const kandinsky_embeds* negative_embeds,
                                                  const kandinsky_options* options, uint8_t* images,
                                                  size_t size);

/** Fails as kandinsky_text_to_image or kandinsky_image_to_image with these options would before its
 * first step, except for a lack of memory. Does nothing else. BUSY while a job runs. */
KANDINSKY_API kandinsky_status kandinsky_engine_check(kandinsky_engine* engine,
                                                      const kandinsky_options* options);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* KANDINSKY_H_ */
