// predict: adapts on a support folder, then classifies images, one JSON object a line.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "meta/checkpoint.h"
#include "meta/from_config.h"
#include "meta/head.h"
#include "meta/predictor.h"
#include "meta/system_checkpoint.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/explanation_folder.h"
#include "tools/load_data.h"
#include "tools/messages.h"
#include "tools/prediction_line.h"
#include "tools/query_images.h"
#include "tools/system_answers.h"

namespace innerloop::tools {
namespace {

struct PredictRequest {
  CommonOptions common;
  BadFileOption bad_files;
  std::string checkpoint, support, explain;
  std::vector<std::string> images;
};

io::Config config_of(const meta::Checkpoint& checkpoint, const CommonOptions& common) {
  io::Config base = checkpoint.config;
  base.run.threads = 0;
  base.data.layout = io::Layout::kAuto;  // that of the training set says nothing of the support folder
  base.run.device = io::DeviceChoice::kAuto;
  // Each image is answered alone unless --norm asks otherwise: here no protocol says what its neighbours are.
  base.eval.norm = io::EvalNorm::kSupport;
  io::Config config = common.resolve(base);
  if (config.model != base.model || config.data.size != base.data.size || config.data.channels != base.data.channels) {
    fail_usage("predict: keys of [model], data.size and data.channels cannot be set here; the checkpoint fixes them");
  }
  return config;
}

int run(const PredictRequest& o) {
  Context context = o.common.make_context(o.common.run());
  ContextScope scope(context);
  if (meta::is_system_checkpoint(o.checkpoint)) {
    if (!o.support.empty())
      fail_usage("predict: {} is a comparison system's, which answers as it was trained; leave --support out", o.checkpoint);
    if (!o.explain.empty())
      fail_usage("predict: --explain shows what an adapted few-shot network saw; {} is a comparison system's", o.checkpoint);
    return predict_system(o.checkpoint, o.images, o.common, o.bad_files);
  }
  const meta::Checkpoint checkpoint = meta::load_checkpoint(o.checkpoint);
  if (o.support.empty()) fail_usage("predict: --support is required; give the folder of labelled images to adapt on");
  const io::Config config = config_of(checkpoint, o.common);

  std::optional<ExplanationFolder> explanations;
  if (!o.explain.empty()) {
    explanations.emplace(o.explain, config.data.invert ? Shown::kInverted : Shown::kAsLoaded);
  }

  io::LoadOptions load = meta::load_options(config);
  load.cache.clear();  // the cache and the groups are the training set's
  load.groups_csv.clear();
  const io::ImageSet support = with_classes(load_data(o.support, load, o.bad_files), o.support);
  const QueryImages queries = load_query_images(o.images, load, o.bad_files);

  const meta::Network network =
      meta::network_for(checkpoint.net(), checkpoint.params, static_cast<std::int64_t>(support.classes.size()));
  if (!network.note.empty()) say(network.note);
  const meta::EvalOptions eval = meta::eval_options(config);
  const meta::Predictor predictor(network.net, network.params, support, {.inner = eval.inner, .norm = eval.norm});

  // Under the support's statistics a row depends on its image alone, so the images can go in parts; else all at once.
  // Explanations keep every layer of every image of a part.
  const std::int64_t n = queries.pixels.shape()[0];
  const std::int64_t part = eval.norm != meta::EvalNorm::kSupport ? n : explanations ? 8 : 64;
  const auto progress = counting_progress("image");
  for (std::int64_t begin = 0; begin < n; begin += part) {
    const std::int64_t count = std::min(part, n - begin);
    const Tensor pixels = queries.pixels.slice(begin, count);
    const Tensor p = predictor.predict(pixels);
    const auto ways = static_cast<std::size_t>(p.shape()[1]);
    const auto row = [&](std::int64_t i) { return p.data<float>().subspan(static_cast<std::size_t>(i) * ways, ways); };
    meta::Saliency saliency;
    if (explanations) {
      std::vector<std::int64_t> answers;
      for (std::int64_t i = 0; i < count; ++i) answers.push_back(likeliest(row(i)));
      saliency = predictor.explain(pixels, answers);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string& name = queries.names[static_cast<std::size_t>(begin + i)];
      Json line = prediction_line(name, predictor.classes(), row(i));
      if (explanations) {
        line["explanation"] = explanations->write(name, pixels.slice(i, 1), saliency.map.slice(i, 1));
        line["explained_at"] = saliency.block;
      }
      print_json(line);
    }
    progress(begin + count, n);
  }
  return kDone;
}

}  // namespace

void add_predict(CommandLine& line) {
  auto o = std::make_shared<PredictRequest>();
  CLI::App& command =
      line.add(line.app, "predict", "Adapts a checkpoint on a few labelled images and classifies others.",
               "The support folder holds one subfolder a class, or images that are each their own class, named by "
               "their stem. Prints one JSON object a line, {\"image\": ..., \"class\": ..., \"probabilities\": "
               "{...}}, in the order given, the files of a folder sorted; --json changes nothing here. When the "
               "number of classes differs from the ways of training, the head starts from zero and is adapted on "
               "the support images. A checkpoint of `train --system` takes no support folder: it answers as it was trained.",
               "  innerloop data synth --out few --per-class 5\n"
               "  innerloop predict runs/demo/best.safetensors --support few --images few/lobar");
  command.add_option("checkpoint", o->checkpoint, "a checkpoint of a run, or a file of parameters")
      ->required()
      ->type_name("CKPT");
  command.add_option("--support", o->support, "the labelled images to adapt on; none for a comparison system")->type_name("DIR");
  command.add_option("--images", o->images, "the images to classify: folders or files")
      ->required()
      ->type_name("DIR-or-files");
  command.add_option("--explain", o->explain,
                     "a folder, new or empty, for pictures: each image beside itself with what spoke for its class laid over it")
      ->type_name("DIR");
  o->bad_files.add_to(command);
  o->common.add_to(command, {{"--steps", {"eval.steps"}}, {"--norm", {"eval.norm"}, "batch|support"}});
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
