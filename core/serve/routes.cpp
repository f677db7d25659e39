#include "serve/routes.h"

#include <array>

namespace kandinsky::serve {
namespace {

constexpr bool kOpen = true;

constexpr std::array kRoutes{
    Route{"POST", "/sdapi/v1/txt2img", handle_txt2img, "txt2img", "Images from a text"},
    Route{"POST", "/sdapi/v1/img2img", handle_img2img, "img2img",
          "Images from an image, and inpainting"},
    Route{"GET", "/sdapi/v1/progress", handle_progress, "", "Progress of the running job"},
    Route{"POST", "/sdapi/v1/interrupt", handle_interrupt, "",
          "End the running job and return its result so far"},
    Route{"POST", "/sdapi/v1/skip", handle_skip, "",
          "End the running batch and continue with the next"},
    Route{"GET", "/sdapi/v1/options", handle_options, "", "Settings"},
    Route{"POST", "/sdapi/v1/options", handle_set_options, "settings",
          "Accepts only the current settings"},
    Route{"GET", "/sdapi/v1/samplers", handle_samplers, "", "The samplers"},
    Route{"GET", "/sdapi/v1/schedulers", handle_schedulers, "", "The schedulers"},
    Route{"GET", "/sdapi/v1/sd-models", handle_models, "", "The model"},
    Route{"GET", "/sdapi/v1/scripts", handle_scripts, "", "Empty lists: there are no scripts"},
    Route{"GET", "/sdapi/v1/memory", handle_memory, "", "Memory of the machine"},
    Route{"POST", "/sdapi/v1/unload-checkpoint", handle_unload, "",
          "Free the weights; the next job loads them again"},
    Route{"POST", "/v1/images/generations", handle_generations, "generation", "Images from a text"},
    Route{"POST", "/v1/images/edits", handle_edits, "edit",
          "Images from an image, or inpainting of its or the mask's transparent parts"},
    Route{"POST", "/v1/images/variations", handle_variations, "variation",
          "Variations of an image"},
    Route{"GET", "/v1/models", handle_openai_models, "", "The model"},
    Route{"POST", "/kandinsky/v1/jobs", handle_submit, "job", "Queue a job; returns its id"},
    Route{"GET", "/kandinsky/v1/jobs", handle_jobs, "", "The last jobs"},
    Route{"GET", "/kandinsky/v1/jobs/{id}", handle_job, "", "State and progress of a job"},
    Route{"GET", "/kandinsky/v1/jobs/{id}/result", handle_job_result, "",
          "Images of a job as JSON, in base64"},
    Route{"GET", "/kandinsky/v1/jobs/{id}/images/{index}", handle_job_image, "",
          "One image of a job as a file"},
    Route{"GET", "/kandinsky/v1/jobs/{id}/preview", handle_job_preview, "",
          "A small PNG preview; 404 before the first step"},
    Route{"DELETE", "/kandinsky/v1/jobs/{id}", handle_cancel, "",
          "Cancel a job, or remove a finished one"},
    Route{"GET", "/health", handle_health, "", "200 while jobs are accepted, 503 at shutdown",
          kOpen},
    Route{"GET", "/metrics", handle_metrics, "", "Metrics for Prometheus"},
    Route{"GET", "/openapi.json", handle_openapi, "", "This document", kOpen},
    Route{"GET", "/", handle_page, "", "A test page", kOpen},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace kandinsky::serve
