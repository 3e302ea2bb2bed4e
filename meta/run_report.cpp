#include "meta/run_report.h"

#include <fmt/format.h>

#include <cmath>

namespace innerloop::meta {
namespace {

std::string rounded(double value) { return std::isnan(value) ? "n/a" : fmt::format("{:.3f}", value); }

void add_named(const NamedResult& named, io::ReportData& data) {
  const auto n = static_cast<int>(named.classes.size());
  data.confusion.classes = named.classes;
  for (int truth = 0; truth < n; ++truth)
    for (int predicted = 0; predicted < n; ++predicted)
      data.confusion.counts.push_back(named.confusion.count(truth, predicted));
  for (std::size_t c = 0; c < named.classes.size(); ++c) {
    const ClassScores& s = named.per_class[c];
    data.scores.push_back({named.classes[c], s.precision, s.recall, s.f1, s.support});
    data.roc.push_back({named.classes[c], named.roc[c].x, named.roc[c].y, named.roc_auc[c]});
    data.precision_recall.push_back(
        {named.classes[c], named.precision_recall[c].x, named.precision_recall[c].y, named.average_precision[c]});
  }
}

}  // namespace

io::ReportData report_of_evaluation(const EvalResult& result) {
  io::ReportData data;
  data.headlines.push_back({"Accuracy", io::percent_with_interval(result.accuracy.mean, result.accuracy.half_width),
                            fmt::format("{} {}, 95 % interval", result.accuracy.n, result.unit)});
  const bool named = result.has_named;
  data.headlines.push_back({"F1", rounded(named ? result.named.macro.f1 : result.f1),
                            named ? "macro, over all " + std::string(result.unit == "episodes" ? "queries" : result.unit) : "macro, mean over episodes"});
  data.headlines.push_back(
      {"ROC-AUC", rounded(named ? result.named.macro_roc_auc : result.roc_auc), "one against the rest"});
  data.headlines.push_back({"PR-AUC", rounded(named ? result.named.macro_average_precision : result.average_precision),
                            "average precision"});
  if (named) add_named(result.named, data);
  for (const auto& [key, value] : result.protocol) data.protocol.push_back({key, value});
  for (const LeftOutClass& c : result.left_out)
    data.cautions.push_back(
        fmt::format("Class '{}' was left out: it has {} images, too few for an episode.", c.name, c.images));
  return data;
}

std::vector<std::string> cautions_about(const io::ImageSet& set) {
  std::vector<std::string> out;
  const auto patients = static_cast<std::int64_t>(set.group_names.size());
  if (patients == set.count())
    out.push_back(
        "It is not known which images belong to one patient; images of one person may stand on both sides of the "
        "split.");
  else
    out.push_back(
        "The split keeps patients apart, but within an episode images of one patient may be both support and query.");
  if (set.ungrouped > 0)
    out.push_back(
        fmt::format("Of {} images the patient is not known; each counts as a patient of its own.", set.ungrouped));
  if (!set.skipped.empty())
    out.push_back(fmt::format("{} files could not be used; they are listed below.", set.skipped.size()));
  out.insert(out.end(), set.cautions.begin(), set.cautions.end());
  return out;
}

io::ReportData report_of_run(const RunStory& story) {
  io::ReportData data;
  const io::Config& c = story.config;
  if (story.evaluation != nullptr) {
    data = report_of_evaluation(*story.evaluation);
    data.chance_accuracy = 1.0 / static_cast<double>(c.eval.ways);
  }
  data.title = "Meta-training on " + story.set.name;
  data.subtitle = fmt::format("{}-way {}-shot tasks ({}), {} inner steps, order {}", c.task.ways, c.task.shots,
                              io::name_of(c.task.scheme), c.inner.steps, io::name_of(c.inner.order));
  if (std::isfinite(story.best.accuracy))
    data.headlines.push_back({"Best", io::percent_with_interval(story.best.accuracy, io::kNotMeasured),
                              fmt::format("after meta-step {}", story.best.step)});
  data.history = story.history;
  const std::vector<std::uint8_t> png = io::encode_png(story.sheet);
  data.episodes = {std::string(png.begin(), png.end()),
                   "The first training tasks: a row a class, the support images left of their augmented queries."};
  data.protocol.push_back({"split", story.split});
  data.config_toml = io::to_toml(c);
  for (const io::SkippedFile& f : story.set.skipped) data.skipped.push_back({f.file, f.reason});
  for (std::string& text : cautions_about(story.set)) data.cautions.push_back(std::move(text));
  if (story.evaluation == nullptr)
    data.cautions.push_back(
        "No image was held out or no evaluation has run yet: nothing here says how well the network does on "
        "new images.");
  else
    data.cautions.push_back(
        "best.safetensors was chosen by accuracy on the held-out images, so its figure there is optimistic.");
  if (c.task.scheme == io::Scheme::kGroups)
    data.cautions.push_back(
        "The `groups` scheme draws each artificial label from one true class: the tasks know of the labels, "
        "though not their names.");
  return data;
}

}  // namespace innerloop::meta
