#include "meta/folds.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace innerloop::meta {
namespace {

constexpr std::uint32_t kFoldStep = 1;  // of Stream::kHoldout, whose step 0 draws the hold-out

struct Patient {
  std::vector<std::int64_t> images;   // of the set
  std::vector<std::int64_t> classes;  // images of each
  std::int64_t size() const { return static_cast<std::int64_t>(images.size()); }
};

/// Groups by first appearance, so that a subset is divided by what it holds.
std::vector<Patient> patients_of(const io::ImageSet& set) {
  std::vector<Patient> patients;
  std::vector<std::size_t> at(set.group_names.size(), std::numeric_limits<std::size_t>::max());
  for (std::size_t i = 0; i < set.groups.size(); ++i) {
    std::size_t& p = at[static_cast<std::size_t>(set.groups[i])];
    if (p == std::numeric_limits<std::size_t>::max()) {
      p = patients.size();
      patients.push_back({{}, std::vector<std::int64_t>(set.classes.size())});
    }
    patients[p].images.push_back(static_cast<std::int64_t>(i));
    ++patients[p].classes[static_cast<std::size_t>(set.labels[i])];
  }
  return patients;
}

class Division {
 public:
  Division(const io::ImageSet& set, const FoldOptions& options)
      : set_(set),
        folds_(static_cast<std::size_t>(options.folds)),
        patients_(patients_of(set)),
        size_(set.classes.size()),
        fold_of_(patients_.size()) {
    for (const Patient& p : patients_)
      for (std::size_t c = 0; c < size_.size(); ++c) size_[c] += p.classes[c];
    check_patients();  // before anything is as large as the number of folds, which may be a slip of the keyboard
    held_.assign(folds_, std::vector<std::int64_t>(set.classes.size()));
    images_.assign(folds_, 0);
    for (const std::size_t p : visiting_order(options.seed)) put(p, best_fold(p));
    cover_classes();
  }

  std::vector<io::Split> splits() const {
    std::vector<io::Split> out(folds_);
    for (std::size_t p = 0; p < patients_.size(); ++p)
      for (std::size_t f = 0; f < folds_; ++f) {
        std::vector<std::int64_t>& side = f == fold_of_[p] ? out[f].held_out : out[f].train;
        side.insert(side.end(), patients_[p].images.begin(), patients_[p].images.end());
      }
    for (io::Split& split : out) std::ranges::sort(split.train), std::ranges::sort(split.held_out);
    return out;
  }

 private:
  void check_patients() const {
    for (std::size_t c = 0; c < size_.size(); ++c) {
      const auto n = std::ranges::count_if(patients_, [&](const Patient& p) { return p.classes[c] > 0; });
      IL_CHECK(n == 0 || n >= static_cast<std::ptrdiff_t>(folds_),
               "folds: class '{}' has {} patients ({} images), too few for one in each of {} folds; {}",
               set_.classes[c], n, size_[c], folds_,
               n >= 2 ? fmt::format("ask for at most {} folds", n) : "leave the class out");
    }
  }

  std::vector<std::size_t> visiting_order(std::uint64_t seed) const {
    std::vector<std::size_t> order(patients_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    PhiloxSequence random(seed, Stream::kHoldout, kFoldStep);
    for (std::size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t p) { return patients_[p].size(); });
    return order;
  }

  /// How much sum_c (held_fc - size_c / k)^2 / size_c grows when `sign` times the patient's images come to fold f.
  double growth(std::size_t p, std::size_t f, double sign) const {
    double sum = 0;
    for (std::size_t c = 0; c < size_.size(); ++c) {
      if (patients_[p].classes[c] == 0) continue;
      const double size = static_cast<double>(size_[c]);
      const double before = static_cast<double>(held_[f][c]) - size / static_cast<double>(folds_);
      const double after = before + sign * static_cast<double>(patients_[p].classes[c]);
      sum += (after * after - before * before) / size;
    }
    return sum;
  }

  std::size_t best_fold(std::size_t p) const {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t f = 0; f < folds_; ++f) {
      const double cost = growth(p, f, 1);
      if (cost < least || (cost == least && images_[f] < images_[best])) best = f, least = cost;
    }
    return best;
  }

  void put(std::size_t p, std::size_t f) { count(p, f, 1), fold_of_[p] = f; }
  void count(std::size_t p, std::size_t f, std::int64_t sign) {
    for (std::size_t c = 0; c < size_.size(); ++c) held_[f][c] += sign * patients_[p].classes[c];
    images_[f] += sign * patients_[p].size();
  }

  /// Whether fold_of_[p] still has all of p's classes without p.
  bool can_spare(std::size_t p) const {
    for (std::size_t c = 0; c < size_.size(); ++c)
      if (patients_[p].classes[c] > 0 && held_[fold_of_[p]][c] == patients_[p].classes[c]) return false;
    return true;
  }

  void cover_classes() {
    for (std::size_t f = 0; f < folds_; ++f)
      for (std::size_t c = 0; c < size_.size(); ++c) {
        if (size_[c] == 0 || held_[f][c] > 0) continue;
        std::optional<std::size_t> best;
        double least = 0;
        for (std::size_t p = 0; p < patients_.size(); ++p) {
          if (patients_[p].classes[c] == 0 || fold_of_[p] == f || !can_spare(p)) continue;
          const double cost = growth(p, f, 1) + growth(p, fold_of_[p], -1);
          if (!best || cost < least) best = p, least = cost;
        }
        IL_CHECK(best.has_value(),
                 "folds: fold {} of {} is left without an image of class '{}', and no other fold can spare a "
                 "patient who has it; ask for fewer folds",
                 f + 1, folds_, set_.classes[c]);
        count(*best, fold_of_[*best], -1);
        put(*best, f);
      }
  }

  const io::ImageSet& set_;
  std::size_t folds_;
  std::vector<Patient> patients_;
  std::vector<std::int64_t> size_;               ///< [C] images of each class
  std::vector<std::vector<std::int64_t>> held_;  ///< [F][C]
  std::vector<std::int64_t> images_;             ///< [F]
  std::vector<std::size_t> fold_of_;             ///< [P]
};

}  // namespace

std::vector<io::Split> make_folds(const io::ImageSet& set, const FoldOptions& options) {
  if (options.folds < 2) fail_usage("folds: {} folds; cross-validation needs at least 2", options.folds);
  IL_CHECK(set.count() > 0, "folds: the set '{}' has no images", set.name);
  return Division(set, options).splits();
}

}  // namespace innerloop::meta
