#include "meta/reproduce/report_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "io/atomic_file.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/machine_report.h"
#include "meta/reproduce/page.h"
#include "meta/reproduce/tables.h"
#include "meta/reproduce/wording.h"
#include "meta/reproduce/worker.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

std::vector<TrainingCurve> curves_of(const std::string& folder, const Manifest& m) {
  std::vector<TrainingCurve> out;
  std::set<std::int64_t> shots(m.plan.shots.begin(), m.plan.shots.end());
  shots.insert(m.config.task.shots);
  for (const std::int64_t ways : m.plan.ways) {
    for (const std::int64_t k : shots) {
      const std::string path = folder + "/" + file_of({ways, 0, io::Scheme::kGroups, k});
      if (!std::filesystem::exists(path)) continue;
      std::vector<CurvePoint> points = read_meta_training(path).curve;
      if (!points.empty()) out.push_back({ways, k, std::move(points)});
    }
  }
  return out;
}

/// Pictures of the units that have some; one that is gone is left out.
std::vector<PagePicture> pictures_of(const std::string& folder, const std::vector<UnitResult>& units) {
  std::vector<PagePicture> out;
  for (const UnitResult& u : units) {
    for (const Picture& p : u.pictures) {
      const std::string path = folder + "/" + p.file;
      if (std::filesystem::exists(path))
        out.push_back({io::read_file(path), fmt::format("{}-way. {}", u.key.ways, p.caption)});
    }
  }
  return out;
}

std::vector<std::string> notes_of(const std::vector<UnitResult>& units, const Summary& summary) {
  std::set<std::string> seen;
  std::vector<std::string> out;
  for (const UnitResult& u : units)
    for (const std::string& note : u.notes) {
      const std::string text = fmt::format("{}: {}", summary.title(u.key.system), note);
      if (seen.insert(text).second) out.push_back(text);
    }
  return out;
}

std::string markdown(const Story& story) {
  std::string text = fmt::format("## {}\n\n", page_of(story).title);
  for (const std::string& words : verdicts(story.summary)) text += "* " + words + "\n";
  text += "\n";
  const auto add = [&](const io::TextTable& table) { text += io::render_markdown(table); };
  for (const io::TextTable& table : paper_tables(story.summary)) add(table);
  for (const std::int64_t ways : story.summary.ways) {
    add(shots_table(story.summary, ways));
    for (const std::int64_t k : story.summary.shots) add(result_table(story.summary, ways, k));
    add(test_table(story.summary, ways));
    add(cost_table(story.summary, ways, table_shots(story.summary)));
  }
  add(shortcut_table(story.summary));
  for (const ShortcutFinding& f : shortcut_findings(story.summary)) text += f.words + "\n\n";
  add(data_table(story.manifest.data));
  add(exclusion_table(story.exclusions));
  return text;
}

}  // namespace

ReportFiles write_report_files(const std::string& run_folder) {
  Story story;
  story.manifest = read_manifest(run_folder);
  const UnitStore store(run_folder);
  const std::vector<UnitResult> units = store.load_all(story.manifest.hash());
  IL_CHECK(!units.empty(), "{}: no unit is done yet, so there is nothing to report; run the comparison first",
           run_folder);
  story.summary = summarise(units, story.manifest.sizes);
  IL_CHECK(!story.summary.ways.empty(),
           "{}: no compared system is done yet, so there is nothing to report; run the comparison first", run_folder);
  story.curves = curves_of(run_folder, story.manifest);
  story.pictures = pictures_of(run_folder, units);
  story.notes = notes_of(units, story.summary);
  story.exclusions = story.manifest.exclusions;
  for (const Exclusion& e : store.failures()) story.exclusions.push_back(e);
  const auto done = static_cast<std::int64_t>(units.size());
  if (done < story.manifest.units)
    story.exclusions.push_back(
        {fmt::format("{} of {} units", story.manifest.units - done, story.manifest.units),
         "not done yet: the run was stopped, its time was up, or a part failed; run the command again to go on"});
  ReportFiles files{run_folder + "/report.html",
                    run_folder + "/report.json",
                    run_folder + "/tables.csv",
                    run_folder + "/tables.md",
                    done,
                    story.manifest.units};
  io::write_file(files.html, io::render_page(page_of(story)));
  io::write_file(files.json, machine_json(story));
  io::write_file(files.csv, machine_csv(story.summary));
  io::write_file(files.markdown, markdown(story));
  return files;
}

}  // namespace innerloop::meta::reproduce
