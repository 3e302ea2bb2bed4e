#include "meta/reproduce/wording.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "io/progress.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/published.h"
#include "meta/reproduce/settings.h"
#include "meta/reproduce/view.h"

namespace innerloop::meta::reproduce {
namespace {

/// Of the paired tests.
constexpr double kLevel = 0.05;

}  // namespace

std::string figure(double value) { return std::isfinite(value) ? fmt::format("{:.3f}", value) : "–"; }

std::string figure_with_interval(const Estimate& e) {
  if (!std::isfinite(e.mean) || !std::isfinite(e.half_width)) return figure(e.mean);
  return fmt::format("{:.3f} ± {:.3f}", e.mean, e.half_width);
}

std::string p_value(double p) { return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p); }

std::string where(std::int64_t ways, std::int64_t shots) {
  if (shots == kAllShots) return fmt::format("{}-way, all labels", ways);
  return fmt::format("{}-way, {} {}", ways, shots, shots == 1 ? "shot" : "shots");
}

std::int64_t table_shots(const Summary& summary) {
  if (summary.shots.empty()) return kPublishedShots;
  return std::ranges::find(summary.shots, kPublishedShots) != summary.shots.end() ? kPublishedShots
                                                                                  : summary.shots.back();
}

namespace {

/// The ROC-AUC of the paper's COVID-19 class in a cell, in words; empty where there is none.
std::string first_class_words(const Cell& cell) {
  const double area = cell.pooled.roc_auc.front();
  return std::isfinite(area) ? fmt::format(" Told by the border alone, {} against the rest has a ROC-AUC of {}.",
                                           cell.classes.front(), figure(area))
                             : std::string();
}

std::string shortcut_words(const ShortcutFinding& f) {
  const Estimate& e = f.border->estimate(Score::kRecall);
  std::string words = fmt::format(
      "{}-way: from a frame of {:.0f} % of the side, without any lung, LeNet-5 reaches a macro recall of {} over {} "
      "folds; guessing gives {}.",
      f.ways, 50 * (1 - kBlankShare), figure_with_interval(e), e.n, figure(f.chance));
  if (f.whole != nullptr)
    words += fmt::format(" The same network on whole images reaches {}.",
                         figure_with_interval(f.whole->estimate(Score::kRecall)));
  words += first_class_words(*f.border);
  if (!std::isfinite(e.half_width)) return words + " One fold alone gives no interval, so nothing is concluded.";
  words += f.leaks ? " That is above chance by more than its interval: the data set leaks where its images come from, "
                     "and part of every accuracy on this page may be the source and not the disease."
                   : " That is within its interval of chance: this test finds no leak of the source, which does not "
                     "prove that there is none.";
  return words;
}

}  // namespace

std::vector<ShortcutFinding> shortcut_findings(const Summary& summary) {
  std::vector<ShortcutFinding> out;
  for (const Cell& c : summary.cells) {
    if (c.system != "shortcut_border") continue;
    ShortcutFinding f;
    f.ways = c.ways;
    f.border = &c;
    f.whole = summary.find(c.ways, "shortcut_whole", kAllShots);
    f.chance = 1.0 / static_cast<double>(c.ways);
    const Estimate& e = c.estimate(Score::kRecall);
    f.leaks = std::isfinite(e.half_width) && e.mean - e.half_width > f.chance;
    f.words = shortcut_words(f);
    out.push_back(f);
  }
  return out;
}

namespace {

/// Which systems see another side than the rest, with a blank before; empty where none does.
std::string words_of_other_sides(const Manifest& m) {
  std::vector<std::string> titles;
  for (const std::string& key : m.systems)
    if (m.sizes.contains(key)) titles.push_back(title_of(contestant(key), m.sizes));
  if (titles.empty()) return {};
  return fmt::format(
      " Not all see {0}x{0} pixels: {1} {2} the same images at another side (--size-of), with shifts in proportion.",
      m.data.size, fmt::join(titles, ", "), titles.size() == 1 ? "sees" : "see");
}

}  // namespace

std::vector<std::string> protocol_words(const Manifest& m) {
  const io::Config config = with_scale(m.config, m.scale);
  std::vector<std::string> out;
  out.push_back(
      fmt::format("Folds: {}, by patient, the same for all systems and for every number of ways. Tested is every image "
                  "of the held-out fold; an n-way problem has the first n of the classes {}.",
                  m.plan.folds, fmt::join(m.plan.classes, ", ")));
  out.push_back(
      "Labelled images: k of each class from the other folds, drawn once and the same for every system; the k of fewer "
      "shots are among those of more. The paper says \"tenfold cross-validation\" and \"10-shot\" and not how they go "
      "together, nor how many labels its comparison systems saw; here all see the same k a class.");
  out.push_back(fmt::format(
      "UMLF-COVID is meta-trained once a fold on the images of the other folds, without their labels ({} meta-steps of "
      "{} tasks of up to {} images a class, from all {} classes of the set, as the paper draws its classes from the "
      "whole set), then adapted on the k images by {} inner steps. `groups` is the paper's Algorithm 1: the images of "
      "a task's class share their true class, so the tasks know of the labels. `instances` knows of nothing. The paper "
      "does not separate the two. \"Untrained\" is the same network from its random start, adapted in the same way.",
      config.outer.iterations, config.outer.tasks, config.task.shots, m.data.classes.size(), config.eval.steps));
  out.push_back(fmt::format(
      "Supervised systems train on the k images of each class: at most {} updates, the same augmentations as "
      "meta-training, class weights {}, and a share of {:.0f} % of the labelled images for early stopping where the "
      "shots leave one. CovXNet is pretrained besides, as its publication says, on the training folds' normal and "
      "non-COVID pneumonia images with their labels: it sees more labels than the others.{}",
      config.supervised.iterations, io::name_of(config.supervised.class_weights), 100 * config.supervised.validation,
      words_of_other_sides(m)));
  out.push_back(config.eval.norm == io::EvalNorm::kSupport
                    ? "Every test image is answered alone; batch norm uses the statistics of the labelled images "
                      "(UMLF-COVID) or of training (the others). The release of the paper's authors normalises by the "
                      "whole batch of test images instead (--set eval.norm=batch)."
                    : "UMLF-COVID normalises by the statistics of the whole batch of test images, as the release of "
                      "the paper's authors does: an answer depends on the other test images. The supervised systems "
                      "answer every image alone.");
  if (m.budget > 0)
    out.push_back(
        fmt::format("Time: a budget of {} was given; a calibration found that {:.1f} % of the configured iterations "
                    "fit, and every system got that share.",
                    io::format_duration(m.budget), 100 * m.scale));
  return out;
}

std::vector<std::string> cautions(const Manifest& m, const Summary& summary) {
  std::vector<std::string> out;
  for (const ShortcutFinding& f : shortcut_findings(summary))
    if (f.leaks) out.push_back("Shortcut test, " + f.words);
  const auto images = [&] {
    std::int64_t n = 0;
    for (const std::int64_t k : m.data.images) n += k;
    return n;
  }();
  if (m.data.patients == images) {
    out.push_back(
        "No two images are known to be of one patient. If some are, they may stand on both sides of a fold; name the "
        "patients with --set data.groups=patients.csv.");
  } else {
    out.push_back(
        fmt::format("{} images of {} patients; no patient stands on both sides of a fold. Among the labelled images a "
                    "patient may occur twice only where a class has fewer patients than shots.",
                    images, m.data.patients));
  }
  for (const std::string& text : m.data.cautions) out.push_back("Of the data set: " + text);
  const auto mixed =
      std::ranges::count_if(m.exclusions, [](const Exclusion& e) { return e.what.starts_with("patient "); });
  if (mixed > 0)
    out.push_back(fmt::format("{} {} with images of several classes {} left out of the comparison, by name below.",
                              mixed, mixed == 1 ? "patient" : "patients", mixed == 1 ? "is" : "are"));
  if (m.data.ungrouped > 0)
    out.push_back(fmt::format(
        "{} images are named by no row of the patients' table and count as patients of their own.", m.data.ungrouped));
  out.push_back(
      "The training parts of folds overlap, so folds are not independent: intervals and p values over folds are "
      "narrower than new data would show.");
  if (m.scale < 1)
    out.push_back(fmt::format(
        "Every system had {:.1f} % of its configured iterations, to fit the time: none of them need have converged.",
        100 * m.scale));
  return out;
}

namespace {

/// What few folds cannot show: of m pairs that all differ one way the exact two-sided p is 2 / 2^m, and Holm multiplies
/// the smallest by the number of tests. Empty where a difference can be shown.
std::string limit_of_folds(const Summary& summary, std::int64_t ways, std::int64_t shots) {
  std::int64_t tests = 0, folds = 0;
  for (const PairedTest& t : summary.tests) {
    if (t.ways != ways || t.shots != shots) continue;
    ++tests;
    folds = std::max(folds, t.ranks.n + t.ranks.zeros);
  }
  const double least = static_cast<double>(tests) * std::ldexp(1.0, static_cast<int>(1 - folds));
  if (least < kLevel) return {};
  return fmt::format(" With {} {} and {} {} no difference, however large, can have an adjusted p below {}.", folds,
                     folds == 1 ? "fold" : "folds", tests, tests == 1 ? "test" : "tests", kLevel);
}

}  // namespace

std::vector<std::string> verdicts(const Summary& summary) {
  std::vector<std::string> out;
  for (const std::int64_t n : summary.ways) {
    for (const std::int64_t k : summary.shots) {
      std::vector<std::string> above, below, open;
      for (const PairedTest& t : summary.tests) {
        if (t.ways != n || t.shots != k) continue;
        auto& list = t.adjusted >= kLevel ? open : t.difference > 0 ? above : below;
        list.push_back(summary.title(t.other));
      }
      if (above.empty() && below.empty() && open.empty()) continue;
      std::string words = fmt::format("{}: UMLF-COVID (groups)", where(n, k));
      std::vector<std::string> parts;
      if (!above.empty()) parts.push_back(fmt::format("is above {}", fmt::join(above, ", ")));
      if (!below.empty()) parts.push_back(fmt::format("is below {}", fmt::join(below, ", ")));
      if (!open.empty())
        parts.push_back(fmt::format("cannot be told from {} (adjusted p of 0.05 or more)", fmt::join(open, ", ")));
      out.push_back(fmt::format("{} {}.{}", words, fmt::join(parts, "; "), limit_of_folds(summary, n, k)));
    }
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
