#include "meta/reproduce/page.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "io/html.h"
#include "io/report_parts.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/settings.h"
#include "meta/reproduce/tables.h"
#include "meta/reproduce/wording.h"

namespace innerloop::meta::reproduce {
namespace {

std::string words(const std::vector<std::string>& paragraphs) {
  std::string html;
  for (const std::string& text : paragraphs) html += io::paragraph(text);
  return html;
}

std::string tables(const std::vector<io::TextTable>& list) {
  std::string html;
  for (const io::TextTable& table : list) html += io::render_html(table);
  return html;
}

std::vector<io::Headline> headlines(const Story& story) {
  std::vector<io::Headline> out;
  const std::int64_t shots = table_shots(story.summary);
  for (const std::int64_t ways : story.summary.ways) {
    const Cell* umlf = story.summary.find(ways, "umlf", shots);
    if (umlf != nullptr) {
      const Estimate& e = umlf->estimate(Score::kAccuracy);
      out.push_back({fmt::format("UMLF-COVID, {}-way", ways), io::percent_with_interval(e.mean, e.half_width),
                     fmt::format("{} shots, {} {}", shots, e.n, e.n == 1 ? "fold" : "folds")});
    }
    const Cell* best = nullptr;
    for (const Cell* c : story.summary.at(ways, shots))
      if (contestant(c->system).learning == Learning::kSupervised &&
          (best == nullptr || c->estimate(Score::kAccuracy).mean > best->estimate(Score::kAccuracy).mean))
        best = c;
    if (best != nullptr) {
      const Estimate& e = best->estimate(Score::kAccuracy);
      out.push_back(
          {fmt::format("Best supervised, {}-way", ways), io::percent_with_interval(e.mean, e.half_width), best->title});
    }
  }
  return out;
}

std::string results(const Summary& summary) {
  std::string html;
  const std::int64_t first = table_shots(summary);
  for (const std::int64_t ways : summary.ways) {
    html += io::render_html(result_table(summary, ways, first));
    for (const std::int64_t k : summary.shots)
      if (k != first) html += io::folded(where(ways, k), io::render_html(result_table(summary, ways, k)));
  }
  return html;
}

std::string classes(const Summary& summary) {
  std::string html;
  const std::int64_t shots = table_shots(summary);
  for (const std::int64_t ways : summary.ways) {
    std::string rest;
    for (const Cell* cell : summary.at(ways, shots))
      (cell->system == "umlf" ? html : rest) += io::render_html(class_table(*cell));
    html += io::folded(fmt::format("{}-way: the other systems by class", ways), rest);
  }
  return html;
}

std::string shortcut(const Summary& summary) {
  std::vector<std::string> paragraphs;
  for (const ShortcutFinding& f : shortcut_findings(summary)) paragraphs.push_back(f.words);
  return paragraphs.empty() ? std::string() : words(paragraphs) + io::render_html(shortcut_table(summary));
}

std::string pictures(const std::vector<PagePicture>& list) {
  if (list.empty()) return {};
  std::vector<std::string> parts;
  for (const PagePicture& p : list) parts.push_back(io::embedded_png(p.png, p.caption));
  return io::paragraph(
             "For one test image of each class (the first of the first fold): the image, and beside it what in it "
             "spoke for UMLF-COVID's answer. A map tells what the network used, not what is true of the patient.") +
         io::side_by_side(parts);
}

std::string left_out(const Story& story) {
  std::string html = io::render_html(exclusion_table(story.exclusions));
  if (story.exclusions.size() > 12)
    html = io::folded(fmt::format("{} things were left out", story.exclusions.size()), html);
  io::TextTable files{
      .title = "Files that could not be used", .header = {"file", "reason"}, .rows = {}, .kind = io::TableKind::kWords};
  for (const io::SkippedFile& f : story.manifest.data.skipped) files.rows.push_back({{f.file, f.reason}});
  html += files.rows.size() > 12
              ? io::folded(fmt::format("{} files could not be used", files.rows.size()), io::render_html(files))
              : io::render_html(files);
  return html.empty() ? io::paragraph("Nothing.") : html;
}

std::string protocol(const Story& story) {
  std::string html = words(protocol_words(story.manifest)) + io::render_html(data_table(story.manifest.data));
  io::TextTable notes{
      .title = "Notes of single systems", .header = {"note"}, .rows = {}, .kind = io::TableKind::kWords};
  for (const std::string& note : story.notes) notes.rows.push_back({{note}});
  html += io::folded("Notes of single systems", io::render_html(notes));
  return html + io::folded("Configuration, before scaling",
                           fmt::format("<pre>{}</pre>", io::escape_html(io::to_toml(story.manifest.config))));
}

}  // namespace

io::Page page_of(const Story& story) {
  const Summary& summary = story.summary;
  const std::int64_t shots = table_shots(summary);
  std::vector<io::TextTable> by_shots, tests, costs;
  for (const std::int64_t ways : summary.ways) {
    by_shots.push_back(shots_table(summary, ways));
    tests.push_back(test_table(summary, ways));
    costs.push_back(cost_table(summary, ways, shots));
  }
  io::Page page;
  page.title = "UMLF-COVID, reproduced on " + story.manifest.data.name;
  page.subtitle = fmt::format("{}-way, {} shots, {} folds by patient, {}x{} pixels, seed {}; {} with {} threads",
                              fmt::join(summary.ways, "- and "), fmt::join(summary.shots, ", "),
                              story.manifest.plan.folds, story.manifest.data.size, story.manifest.data.size,
                              story.manifest.plan.seed, story.manifest.cpu, story.manifest.threads);
  page.headlines = headlines(story);
  page.cautions = cautions(story.manifest, summary);
  page.sections = {
      {"verdict", "What came out", words(verdicts(summary))},
      {"paper", "The paper's tables beside ours",
       io::paragraph("The data differ from the paper's: a figure here answers the question for this data set, and a "
                     "difference is no refutation.") +
           tables(paper_tables(summary))},
      {"results", "All scores", results(summary)},
      {"shots", "Accuracy against shots", accuracy_against_shots(summary) + tables(by_shots)},
      {"learning", "Meta-training by shots", training_curves(story.curves, summary.ways)},
      {"tests", "Paired tests", tables(tests)},
      {"classes", "By class", classes(summary)},
      {"confusion", "Confusion matrices", confusions(summary)},
      {"rates", "ROC and precision-recall", rate_curves(summary)},
      {"calibration", "Calibration", reliability(summary)},
      {"shortcut", "Shortcut test", shortcut(summary)},
      {"saliency", "What an answer rests on", pictures(story.pictures)},
      {"cost", "Cost", tables(costs)},
      {"protocol", "Protocol", protocol(story)},
      {"left", "Left out", left_out(story)},
  };
  return page;
}

}  // namespace innerloop::meta::reproduce
