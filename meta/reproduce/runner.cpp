#include "meta/reproduce/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "io/progress.h"
#include "meta/clock.h"
#include "meta/reproduce/costs.h"
#include "meta/reproduce/fold_assignment.h"
#include "meta/reproduce/settings.h"
#include "meta/reproduce/worker.h"
#include "meta/run_folder.h"
#include "meta/run_lock.h"
#include "tensor/context.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

std::string words_of(const Work& w, const Sizes& sizes) {
  const std::string where =
      fmt::format("{}-way fold {}: {}", w.problem->ways, w.problem->fold + 1, title_of(*w.contestant, sizes));
  if (!w.is_unit()) return fmt::format("{}, meta-training, {} images a class", where, w.shots);
  return w.shots == kAllShots ? where + ", all labels"
                              : fmt::format("{}, {} {}", where, w.shots, w.shots == 1 ? "shot" : "shots");
}

/// What an earlier call asked for stays part of the comparison.
template <class T>
void join(std::vector<T>& list, const std::vector<T>& more) {
  for (const T& value : more)
    if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

/// One call of run_comparison(): what happens to it in order.
class Run {
 public:
  Run(const io::ImageSet& set, const RunOptions& options)
      : options_(options),
        mixed_(set_mixed_patients_aside(set)),
        set_(mixed_.kept),
        images_(set_, options.sizes),
        begin_(Clock::now()),
        costs_(options.config) {}

  RunResult go() {
    make_the_plan();
    open_folder();
    read_other_sides();
    work_ = all_work(plan_, systems_, shortcut_contestants(), options_.config.task.shots);
    if (!resumed_) calibrate();
    if (!stopped()) {
      keep_manifest();
      do_the_work();
    }
    result_.scale = manifest_.scale;
    result_.seconds = elapsed();
    if (stopped()) result_.end = RunEnd::kStopped;
    return result_;
  }

 private:
  double elapsed() const { return seconds_since(begin_); }
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  void say(const std::string& text) const {
    if (options_.callbacks.on_message) options_.callbacks.on_message(text);
  }

  void make_the_plan() {
    IL_CHECK(set_.count() > 0,
             "reproduce: {} has no image left to compare; every patient has images of several classes",
             mixed_.kept.name);
    manifest_.data = facts_of(set_, options_.data);
    manifest_.config = options_.config;
    manifest_.budget = options_.budget;
    manifest_.plan = options_.plan;
    manifest_.sizes = options_.sizes;
    std::erase_if(manifest_.sizes, [&](const auto& own) { return own.second == set_.height; });
    fold_of_ = fold_assignment(set_, options_.plan.classes, options_.plan.folds, options_.plan.seed);
    plan_ = make_plan(set_, fold_of_, options_.plan);
    manifest_.exclusions = mixed_.excluded;
    manifest_.exclusions.insert(manifest_.exclusions.end(), plan_.exclusions.begin(), plan_.exclusions.end());
    for (const Contestant& c : options_.systems)
      if (fits(c)) systems_.push_back(c);
    for (const Contestant& c : systems_) manifest_.systems.push_back(c.key);
    check_systems();
    manifest_.cpu = std::string(name_of(Context::current().target()));
    manifest_.threads = Context::current().threads().threads();
  }

  void check_systems() const {
    if (!manifest_.systems.empty()) return;
    const Exclusion& last = manifest_.exclusions.back();
    fail("reproduce: none of the systems can be trained: {}: {}", last.what, last.why);
  }

  /// A system whose smallest side is above the images' is left out by name.
  bool fits(const Contestant& c) {
    if (c.learning != Learning::kSupervised) return true;
    const std::int64_t least = smallest_side(c);
    if (images_.side_of(c) >= least) return true;
    manifest_.exclusions.push_back(
        {c.title,
         fmt::format(
             "images of {0}x{0} are too small for it; --size {1} is the least, or --size-of {2}={1} for it alone",
             images_.side_of(c), least, c.key)});
    return false;
  }

  void open_folder() {
    std::error_code error;
    std::filesystem::create_directories(options_.folder, error);
    IL_CHECK(!error, "--out: {}: the folder cannot be made: {}", options_.folder, error.message());
    lock_.take(options_.folder);
    if (!has_manifest(options_.folder)) {
      if (RunFolder(options_.folder).holds_a_run())
        fail_usage("--out: {} holds a training run, whose report would be written over; name another folder",
                   options_.folder);
      return;
    }
    const Manifest saved = read_manifest(options_.folder);
    check_same_comparison(saved, manifest_, options_.folder);
    manifest_.scale = saved.scale;
    manifest_.cost = saved.cost;
    join(manifest_.systems, saved.systems);
    join(manifest_.plan.ways, saved.plan.ways);
    join(manifest_.plan.shots, saved.plan.shots);
    for (const Exclusion& e : saved.exclusions)
      if (std::ranges::find(manifest_.exclusions, e.what, &Exclusion::what) == manifest_.exclusions.end())
        manifest_.exclusions.push_back(e);
    resumed_ = true;
  }

  void read_other_sides() {
    for (const Contestant& c : systems_) {
      const std::int64_t side = images_.side_of(c);
      if (images_.has(side)) continue;
      IL_CHECK(options_.images_at, "reproduce: {} sees images of {}x{}, and nobody reads them", c.title, side, side);
      images_.add(set_mixed_patients_aside(options_.images_at(side)).kept);
    }
  }

  /// A contestant that cannot do one iteration is given up here, before anything waits for it.
  void calibrate() {
    const std::vector<Work> samples = calibration_work(work_);
    std::vector<std::string> broken;
    say(fmt::format("calibrating: one and three iterations of {} kinds of work", samples.size()));
    for (const Work& w : samples) {
      if (stopped()) return;
      try {
        costs_.calibrate(w, images_, options_.stop);
      } catch (const Error& e) {
        broken.push_back(w.contestant->key);
        manifest_.exclusions.push_back({w.contestant->title, e.what()});
        say(fmt::format("left out: {}: {}", w.contestant->title, e.what()));
      }
      const UnitCost cost = costs_.of(w);
      manifest_.cost[w.contestant->key] += cost.at(1);
    }
    std::erase_if(work_, [&](const Work& w) { return std::ranges::find(broken, w.contestant->key) != broken.end(); });
    std::erase_if(manifest_.systems,
                  [&](const std::string& key) { return std::ranges::find(broken, key) != broken.end(); });
    check_systems();
    const std::vector<UnitCost> all = unit_costs();
    const double budget = options_.budget > 0 ? std::max(1e-3, options_.budget - elapsed()) : 0;
    manifest_.scale = scale_for(budget, all);
    check_budget(options_.budget, manifest_.scale, all);
    double total = 0;
    for (const UnitCost& c : all) total += c.at(manifest_.scale);
    say(fmt::format("{} parts, about {} of work{}", work_.size(), io::format_duration(total),
                    manifest_.scale < 1
                        ? fmt::format(", at {:.1f} % of the iterations for all alike", 100 * manifest_.scale)
                        : std::string()));
  }

  std::vector<UnitCost> unit_costs() const {
    std::vector<UnitCost> out;
    for (const Work& w : work_) out.push_back(costs_.of(w));
    return out;
  }

  /// Counts the units of everything that this call and earlier ones have asked for.
  void keep_manifest() {
    const Plan whole = make_plan(set_, fold_of_, manifest_.plan);
    const std::vector<Contestant> systems = choose_contestants(manifest_.systems);
    const std::vector<Work> work = all_work(whole, systems, shortcut_contestants(), options_.config.task.shots);
    manifest_.units = std::ranges::count_if(work, &Work::is_unit);
    write_manifest(options_.folder, manifest_);
  }

  void do_the_work() {
    const UnitStore store(options_.folder);
    Worker worker(images_, {.config = with_scale(options_.config, manifest_.scale),
                            .plan = manifest_.hash(),
                            .folder = options_.folder,
                            .stop = options_.stop,
                            .on_meta_step = [this](std::int64_t done, std::int64_t total) {
                              if (options_.callbacks.on_meta_step) options_.callbacks.on_meta_step(part_, done, total);
                            }});
    const std::vector<UnitResult> known = store.load_all(manifest_.hash());
    for (std::size_t i = 0; i < work_.size(); ++i) {
      const Work& w = work_[i];
      part_ = words_of(w, manifest_.sizes);
      if (is_done(w, store)) {
        ++result_.reused;
        result_.units += w.is_unit() ? 1 : 0;
        note_known(w, known);
        continue;
      }
      if (stopped()) return leave(i);
      if (options_.budget > 0 && elapsed() >= options_.budget) {
        result_.end = RunEnd::kBudget;
        return leave(i);
      }
      const auto begin = Clock::now();
      if (!do_part(w, worker, store)) return leave(i);
      costs_.measured(w, seconds_since(begin));
      report_progress(i + 1, store);
    }
  }

  /// Seconds of a unit of an earlier call, for the estimate of what is left.
  void note_known(const Work& w, const std::vector<UnitResult>& known) {
    const auto found = std::ranges::find(known, w.key(), &UnitResult::key);
    if (w.is_unit() && found != known.end()) costs_.measured(w, found->train_seconds + found->predict_seconds);
  }

  bool is_done(const Work& w, const UnitStore& store) const {
    if (w.is_unit()) return store.has(w.key());
    const io::Config config = config_for(with_scale(options_.config, manifest_.scale), *w.contestant, *w.problem);
    const std::string path =
        options_.folder + "/" + file_of({w.problem->ways, w.problem->fold, config.task.scheme, w.shots});
    return std::filesystem::exists(path) && read_meta_training(path).steps >= config.outer.iterations;
  }

  /// False when it was stopped.
  bool do_part(const Work& w, Worker& worker, const UnitStore& store) {
    try {
      if (!w.is_unit()) {
        worker.meta_training(*w.contestant, *w.problem, w.shots);
        if (stopped()) return false;
      } else {
        const std::optional<UnitResult> unit = worker.unit(*w.contestant, *w.problem, w.shots);
        if (!unit) return false;
        store.save(*unit);
        ++result_.units;
      }
      ++result_.done;
    } catch (const Error& e) {
      ++result_.failed;
      store.save_failure(w.key(), {part_, e.what()});
      say(fmt::format("given up: {}: {}", part_, e.what()));
    }
    return true;
  }

  void leave(std::size_t first) { result_.left = static_cast<std::int64_t>(work_.size() - first); }

  void report_progress(std::size_t done, const UnitStore& store) {
    if (!options_.callbacks.on_part) return;
    double left = 0;
    for (std::size_t i = done; i < work_.size(); ++i)
      if (!work_[i].is_unit() || !store.has(work_[i].key())) left += costs_.estimate(work_[i], manifest_.scale);
    options_.callbacks.on_part({static_cast<std::int64_t>(done), static_cast<std::int64_t>(work_.size()), left, part_});
  }

  const RunOptions& options_;
  const MixedPatients mixed_;
  const io::ImageSet& set_;
  SizedImages images_;
  const Clock::time_point begin_;
  RunLock lock_;
  Costs costs_;
  std::vector<std::int64_t> fold_of_;
  Plan plan_;
  Manifest manifest_;
  std::vector<Contestant> systems_;
  std::vector<Work> work_;
  bool resumed_ = false;
  std::string part_;
  RunResult result_;
};

}  // namespace

RunResult run_comparison(const io::ImageSet& set, const RunOptions& options) { return Run(set, options).go(); }

}  // namespace innerloop::meta::reproduce
