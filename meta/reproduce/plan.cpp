#include "meta/reproduce/plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace innerloop::meta::reproduce {
namespace {

using Indices = std::vector<std::int64_t>;

std::int64_t label_in(const io::ImageSet& set, std::int64_t image, const std::vector<std::string>& classes) {
  const std::string& name = set.classes[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(image)])];
  const auto found = std::ranges::find(classes, name);
  return found == classes.end() ? -1 : found - classes.begin();
}

/// The images of `pool` in an order drawn for (seed, fold, class name): a random one of each patient, then the rest.
/// The name and not the place of a class is the address, so the 3-way and the 4-way problem label the same images.
Indices drawn_order(const io::ImageSet& set, Indices pool, std::uint64_t seed, std::int64_t fold,
                    const std::string& class_name) {
  std::uint32_t address = 2166136261u;  // FNV-1a
  for (const char c : class_name) address = (address ^ static_cast<unsigned char>(c)) * 16777619u;
  PhiloxSequence random(seed, Stream::kEpisode, static_cast<std::uint32_t>(fold), address);
  for (std::size_t i = pool.size(); i > 1; --i)
    std::swap(pool[i - 1], pool[random.below(static_cast<std::uint32_t>(i))]);
  std::set<std::int64_t> seen;
  std::stable_partition(pool.begin(), pool.end(), [&](std::int64_t image) {
    return seen.insert(set.groups[static_cast<std::size_t>(image)]).second;
  });
  return pool;
}

void check_patients(const io::ImageSet& set, const std::vector<std::int64_t>& fold_of) {
  std::map<std::int64_t, std::int64_t> fold_of_patient;
  for (std::size_t i = 0; i < fold_of.size(); ++i) {
    const auto [place, fresh] = fold_of_patient.emplace(set.groups[i], fold_of[i]);
    IL_CHECK(fresh || place->second == fold_of[i],
             "reproduce: the images of patient '{}' are in folds {} and {}; a patient belongs to one",
             set.group_names[static_cast<std::size_t>(set.groups[i])], place->second + 1, fold_of[i] + 1);
  }
}

/// The images of each class of `classes` among `images`.
std::vector<Indices> by_class(const io::ImageSet& set, const Indices& images, const std::vector<std::string>& classes) {
  std::vector<Indices> out(classes.size());
  for (const std::int64_t image : images) {
    const std::int64_t label = label_in(set, image, classes);
    if (label >= 0) out[static_cast<std::size_t>(label)].push_back(image);
  }
  return out;
}

class Planner {
 public:
  Planner(const io::ImageSet& set, const std::vector<std::int64_t>& fold_of, const PlanOptions& options)
      : set_(set), fold_of_(fold_of), options_(options) {}

  Plan plan() {
    std::vector<std::int64_t> ways;
    for (const std::int64_t n : options_.ways) {
      if (n <= static_cast<std::int64_t>(options_.classes.size())) {
        ways.push_back(n);
      } else {
        exclude(fmt::format("{}-way", n),
                fmt::format("the data set has {} of the classes that are compared: {}; name others with --classes",
                            options_.classes.size(), fmt::join(options_.classes, ", ")));
      }
    }
    for (std::int64_t fold = 0; fold < options_.folds; ++fold)
      for (const std::int64_t n : ways) add_problem(n, fold);
    if (plan_.problems.empty()) {
      const Exclusion& first = plan_.exclusions.front();
      fail("reproduce: nothing is left to compare: {}: {}", first.what, first.why);
    }
    return std::move(plan_);
  }

 private:
  void exclude(std::string what, std::string why) { plan_.exclusions.push_back({std::move(what), std::move(why)}); }

  void add_problem(std::int64_t ways, std::int64_t fold) {
    Problem p;
    p.ways = ways;
    p.fold = fold;
    p.classes.assign(options_.classes.begin(), options_.classes.begin() + ways);
    for (std::int64_t i = 0; i < set_.count(); ++i) {
      const bool held_out = fold_of_[static_cast<std::size_t>(i)] == fold;
      if (!held_out) p.unlabelled.push_back(i);
      if (label_in(set_, i, p.classes) >= 0) (held_out ? p.test : p.labelled_pool).push_back(i);
    }
    const std::string name = fmt::format("{}-way, fold {}", ways, fold + 1);
    const std::vector<Indices> test = by_class(set_, p.test, p.classes),
                               pool = by_class(set_, p.labelled_pool, p.classes);
    for (std::size_t c = 0; c < p.classes.size(); ++c) {
      if (test[c].empty()) {
        exclude(name, fmt::format("the fold has no image of class '{}'; ask for fewer folds", p.classes[c]));
        return;
      }
    }
    std::vector<Indices> order;
    for (std::size_t c = 0; c < p.classes.size(); ++c)
      order.push_back(drawn_order(set_, pool[c], options_.seed, fold, p.classes[c]));
    for (const std::int64_t k : options_.shots) add_draw(p, order, k, name);
    if (!p.labelled.empty()) plan_.problems.push_back(std::move(p));
  }

  void add_draw(Problem& p, const std::vector<Indices>& order, std::int64_t k, const std::string& name) {
    LabelledDraw draw{k, {}};
    for (std::size_t c = 0; c < order.size(); ++c) {
      if (static_cast<std::int64_t>(order[c].size()) < k) {
        exclude(fmt::format("{}, {} shots", name, k),
                fmt::format("class '{}' has {} images in the training folds", p.classes[c], order[c].size()));
        return;
      }
      draw.images.insert(draw.images.end(), order[c].begin(), order[c].begin() + k);
    }
    p.labelled.push_back(std::move(draw));
  }

  const io::ImageSet& set_;
  const std::vector<std::int64_t>& fold_of_;
  const PlanOptions& options_;
  Plan plan_;
};

}  // namespace

Plan make_plan(const io::ImageSet& set, const std::vector<std::int64_t>& fold_of, const PlanOptions& options) {
  IL_CHECK(static_cast<std::int64_t>(fold_of.size()) == set.count(), "reproduce: {} images and {} folds of images",
           set.count(), fold_of.size());
  check_patients(set, fold_of);
  PlanOptions sorted = options;
  for (auto* list : {&sorted.ways, &sorted.shots}) {
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  return Planner(set, fold_of, sorted).plan();
}

MixedPatients set_mixed_patients_aside(const io::ImageSet& set) {
  std::map<std::int64_t, std::set<std::int32_t>> classes_of;
  for (std::size_t i = 0; i < set.labels.size(); ++i) classes_of[set.groups[i]].insert(set.labels[i]);
  std::map<std::int64_t, std::int64_t> images_of;
  Indices kept;
  for (std::int64_t i = 0; i < set.count(); ++i) {
    const std::int64_t patient = set.groups[static_cast<std::size_t>(i)];
    if (classes_of[patient].size() == 1) {
      kept.push_back(i);
    } else {
      ++images_of[patient];
    }
  }
  MixedPatients out{images_of.empty() ? set : io::subset(set, kept), {}};
  for (const auto& [patient, images] : images_of) {
    std::vector<std::string> names;
    for (const std::int32_t c : classes_of[patient]) names.push_back(set.classes[static_cast<std::size_t>(c)]);
    out.excluded.push_back({fmt::format("patient {}", set.group_names[static_cast<std::size_t>(patient)]),
                            fmt::format("{} images of several classes: {}", images, fmt::join(names, ", "))});
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
