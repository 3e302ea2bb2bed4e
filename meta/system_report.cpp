// The report of a comparison system's run.
#include <fmt/format.h>

#include "meta/run_report.h"

namespace innerloop::meta {

io::ReportData report_of_system_run(const SystemRunStory& story) {
  io::ReportData data;
  if (story.evaluation != nullptr) {
    data = report_of_evaluation(*story.evaluation);
    data.chance_accuracy = 1.0 / static_cast<double>(story.system.classes.size());
  }
  const nn::Classifier network = story.system.network();
  const io::SupervisedConfig& s = story.config.supervised;
  data.title = fmt::format("{} on {}", network.name(), story.set.name);
  data.subtitle = fmt::format("trained with labels; {} parameters at {}x{}x{}", network.parameter_count(),
                              network.height(), network.width(), network.channels());
  data.words = {"iteration", "training", "validation", "training", "validation", "images"};
  data.history = story.history;
  data.protocol.push_back({"source", network.source()});
  data.protocol.push_back({"split", story.split});
  if (story.pretrained > 0)
    data.protocol.push_back(
        {"pretraining",
         fmt::format("{} iterations of pneumonia against normal; the curves begin with them", story.pretrained)});
  data.config_toml = io::to_toml(story.config);
  for (const io::SkippedFile& f : story.set.skipped) data.skipped.push_back({f.file, f.reason});
  data.cautions = cautions_about(story.set);
  if (s.width != 1)
    data.cautions.push_back(
        fmt::format("Hidden layers have {} times the channels and units of the publication.", s.width));
  if (story.evaluation == nullptr)
    data.cautions.push_back("No image was held out: nothing here says how well the system does on new images.");
  else
    data.cautions.push_back(
        "The interval counts images as independent; images of one patient are not, so it is narrower than the truth.");
  return data;
}

}  // namespace innerloop::meta
