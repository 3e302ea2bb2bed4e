#include "meta/reproduce/machine_report.h"

#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "io/text_table.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/published.h"
#include "meta/reproduce/wording.h"

namespace innerloop::meta::reproduce {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double v : values) out.push_back(number(v));
  return out;
}

Json json_of(const Cell& c) {
  Json scores = Json::object(), classes = Json::array(), confusion = Json::array(), bins = Json::array();
  for (const Score s : kScores) {
    const Estimate& e = c.estimate(s);
    scores[std::string(name_of(s))] = {
        {"mean", number(e.mean)}, {"half_width_95", number(e.half_width)}, {"by_fold", numbers(c.of(s))}};
  }
  for (std::size_t i = 0; i < c.classes.size(); ++i) {
    const ClassScores& s = c.pooled.per_class[i];
    classes.push_back({{"class", c.classes[i]},
                       {"precision", s.precision},
                       {"recall", s.recall},
                       {"specificity", s.specificity},
                       {"f1", s.f1},
                       {"roc_auc", number(c.pooled.roc_auc[i])},
                       {"pr_auc", number(c.pooled.average_precision[i])},
                       {"images", s.support}});
    Json row = Json::array();
    for (std::size_t j = 0; j < c.classes.size(); ++j)
      row.push_back(c.pooled.confusion.count(static_cast<int>(i), static_cast<int>(j)));
    confusion.push_back(row);
  }
  for (const ReliabilityBin& b : c.calibration.bins)
    bins.push_back({{"low", b.low},
                    {"high", b.high},
                    {"count", b.count},
                    {"confidence", number(b.confidence)},
                    {"accuracy", number(b.accuracy)}});
  Json folds = Json::array();
  for (const std::int64_t f : c.folds) folds.push_back(f + 1);
  return {{"ways", c.ways},
          {"shots", c.shots == kAllShots ? Json("all") : Json(c.shots)},
          {"system", c.system},
          {"folds", folds},
          {"scores", scores},
          {"pooled",
           {{"accuracy", c.pooled.confusion.accuracy()},
            {"confusion", confusion},
            {"classes", classes},
            {"reliability", bins},
            {"expected_calibration_error", c.calibration.expected_error}}},
          {"cost",
           {{"parameters", c.parameters},
            {"labelled_images", c.labels},
            {"iterations", c.iterations},
            {"shared_seconds", c.shared_seconds},
            {"train_seconds", c.train_seconds},
            {"predict_seconds", c.predict_seconds}}}};
}

Json json_of(const PairedTest& t) {
  return {{"ways", t.ways},
          {"shots", t.shots},
          {"system", t.system},
          {"other", t.other},
          {"folds", t.ranks.n + t.ranks.zeros},
          {"difference", t.difference},
          {"w_plus", t.ranks.positive},
          {"w_minus", t.ranks.negative},
          {"p", t.ranks.p},
          {"p_holm", t.adjusted}};
}

Json json_of(const PublishedTable& t) {
  Json rows = Json::array();
  const auto cell = [](const std::optional<double>& v) { return v ? Json(*v) : Json(); };
  for (const PublishedRow& r : t.rows)
    rows.push_back({{t.by_class ? "class" : "system", r.system},
                    {"accuracy", cell(r.scores.accuracy)},
                    {"precision", cell(r.scores.precision)},
                    {"recall", cell(r.scores.recall)},
                    {"f1", cell(r.scores.f1)}});
  return {{"table", t.number}, {"data_set", t.data_set}, {"ways", t.ways}, {"shots", kPublishedShots}, {"rows", rows}};
}

}  // namespace

std::string machine_json(const Story& story) {
  const Manifest& m = story.manifest;
  Json systems = Json::array(), tests = Json::array(), shortcut = Json::array(), left_out = Json::array(),
       paper = Json::array(), curves = Json::array();
  for (const Cell& c : story.summary.cells) systems.push_back(json_of(c));
  for (const PairedTest& t : story.summary.tests) tests.push_back(json_of(t));
  for (const ShortcutFinding& f : shortcut_findings(story.summary))
    shortcut.push_back({{"ways", f.ways},
                        {"macro_recall", number(f.border->estimate(Score::kRecall).mean)},
                        {"half_width_95", number(f.border->estimate(Score::kRecall).half_width)},
                        {"guessing", f.chance},
                        {"leaks", f.leaks},
                        {"words", f.words}});
  for (const Exclusion& e : story.exclusions) left_out.push_back({{"what", e.what}, {"why", e.why}});
  for (const PublishedTable& t : published_tables()) paper.push_back(json_of(t));
  for (const TrainingCurve& c : story.curves) {
    Json points = Json::array();
    for (const CurvePoint& p : c.points) points.push_back({p.iteration, number(p.loss), number(p.accuracy)});
    curves.push_back({{"ways", c.ways}, {"shots", c.shots}, {"step_loss_accuracy", points}});
  }
  Json json = {{"format", "innerloop-comparison-report"},
               {"version", 1},
               {"data",
                {{"name", m.data.name},
                 {"hash", m.data.hash},
                 {"patients", m.data.patients},
                 {"classes", m.data.classes},
                 {"images", m.data.images},
                 {"size", m.data.size}}},
               {"classes", m.plan.classes},
               {"folds", m.plan.folds},
               {"seed", m.plan.seed},
               {"scale", m.scale},
               {"budget_seconds", m.budget},
               {"cpu", m.cpu},
               {"threads", m.threads},
               {"protocol", protocol_words(m)},
               {"cautions", cautions(m, story.summary)},
               {"verdicts", verdicts(story.summary)},
               {"systems", systems},
               {"tests", tests},
               {"shortcut", shortcut},
               {"meta_training", curves},
               {"paper", paper},
               {"notes", story.notes},
               {"left_out", left_out},
               {"config", io::to_toml(m.config)}};
  if (!m.sizes.empty()) json["sizes"] = m.sizes;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string machine_csv(const Summary& summary) {
  const auto cell = [](double v) { return std::isfinite(v) ? fmt::format("{}", v) : std::string(); };
  std::string text = "ways,shots,system,score,folds,mean,low,high,by_fold\n";
  for (const Cell& c : summary.cells) {
    const std::string shots = c.shots == kAllShots ? "all" : std::to_string(c.shots);
    for (const Score s : kScores) {
      const Estimate& e = c.estimate(s);
      std::vector<std::string> values;
      for (const double v : c.of(s)) values.push_back(cell(v));
      text +=
          fmt::format("{},{},{},{},{},{},{},{},{}\n", c.ways, shots, c.system, name_of(s), c.folds.size(), cell(e.mean),
                      cell(e.mean - e.half_width), cell(e.mean + e.half_width), fmt::join(values, ";"));
    }
  }
  return text;
}

}  // namespace innerloop::meta::reproduce
