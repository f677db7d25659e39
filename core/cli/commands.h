#pragma once

namespace CLI {
class App;
}

/// The subcommands. Each adds its options to `app` and sets a callback that runs it, which may
/// throw StatusError.
namespace kandinsky::cli {

/// "txt2img": generates from a text.
void add_txt2img(CLI::App& app);

/// "img2img": generates from an image and a text.
void add_img2img(CLI::App& app);

/// "inpaint": inpaints the masked part of an image.
void add_inpaint(CLI::App& app);

/// "mix": generates from texts and images with weights.
void add_mix(CLI::App& app);

/// "batch": generates the images of a file of requests.
void add_batch(CLI::App& app);

/// "serve": runs the HTTP server.
void add_serve(CLI::App& app);

/// "convert": converts weights in other formats to folders in diffusers' layout.
void add_convert(CLI::App& app);

/// "info": shows the contents of a model folder.
void add_info(CLI::App& app);

/// "samplers": lists the samplers.
void add_samplers(CLI::App& app);

/// "schedulers": lists the schedulers.
void add_schedulers(CLI::App& app);

/// "speedups": lists the speed-ups.
void add_speedups(CLI::App& app);

}  // namespace kandinsky::cli
