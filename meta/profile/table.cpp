#include "meta/profile/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

namespace innerloop::meta::profile {
namespace {

constexpr std::string_view kDrawPhase = "draw tasks";
constexpr std::string_view kBetween = "start, join";  ///< each task's own theta_0; the mean over tasks and the figures

/// The phase that a kernel belongs to: the outermost range around it but for the meta-step as a whole.
std::string_view phase_of(const Track& parents, const Span& span) {
  for (const Span* range : ranges_around(parents, span))
    if (range->name != "meta-step") return range->name;
  return kBetween;
}

std::string order_of(const Span& span, std::string_view phase) {
  if (span.derivative != autograd::Derivative::kNone) return std::string(name_of(span.derivative));
  return phase == kDrawPhase ? "draw" : "update";
}

/// Labels sort as a meta-step goes: numbers by value and before words; words that have an order by it, others by the alphabet.
std::tuple<int, std::int64_t, std::string> rank(Key key, const std::string& label) {
  constexpr std::string_view kOrders[] = {"draw", "forward", "first", "tangent", "second", "update"};
  constexpr std::string_view kPhases[] = {"draw tasks", "query gradient", kBetween, "outer update"};
  const auto place = [&](const auto& list) -> std::int64_t {
    return std::find(std::begin(list), std::end(list), label) - std::begin(list);
  };
  if (key == Key::kOrder) return {0, place(kOrders), label};
  if (key == Key::kStep) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
    const bool is_number = error == std::errc() && end == label.data() + label.size();
    return is_number ? std::tuple{1, number, label} : std::tuple{label == kDrawPhase ? 0 : 2, place(kPhases), label};
  }
  return {label == "-" ? 1 : 0, 0, label};
}

/// Whether a range is around it, of the same track.
bool in_range(const Track& track, const Span& span) { return !ranges_around(track, span).empty(); }

void add(Row& row, const Span& span, double least_seconds) {
  ++row.calls;
  row.seconds += span.taken - span.inside;
  if (span.composed) return;
  row.cost += span.cost;
  row.least_seconds += least_seconds;
}

}  // namespace

std::string_view name_of(Key key) {
  switch (key) {
    case Key::kLayer: return "layer";
    case Key::kStep: return "step";
    case Key::kOrder: return "order";
    case Key::kKernel: return "kernel";
  }
  return "?";
}

const std::string& Place::at(Key key) const {
  switch (key) {
    case Key::kLayer: return layer;
    case Key::kStep: return step;
    case Key::kOrder: return order;
    case Key::kKernel: break;
  }
  return kernel;
}

Place place_of(const Track& parents, const Span& span) {
  const std::string_view phase = phase_of(parents, span);
  return {span.layer.empty() ? "-" : std::string(span.layer),
          span.step != kNoInnerStep ? fmt::format("{}", span.step + 1) : std::string(phase), order_of(span, phase),
          std::string(span.name)};
}

Table tabulate(const Recording& recording, const std::vector<Key>& keys, const Roofline& roofline) {
  Table table;
  table.keys = keys;
  const std::vector<const Track*> lanes = recording.lanes();
  table.lanes = static_cast<int>(std::max<std::size_t>(1, lanes.size()));
  std::map<std::vector<std::string>, Row> rows;
  for (const Track* lane : lanes) {
    const Track& parents = recording.parents_of(*lane);
    for (const Span& span : lane->spans) {
      if (span.parent < 0 && !span.is_kernel()) table.at_work_seconds += span.taken;
      if (!span.is_kernel()) continue;
      // What is in no range is no part of their time.
      if (!recording.queue && in_range(parents, span)) table.at_work_seconds -= span.taken - span.inside;
      const Place place = place_of(parents, span);
      std::vector<std::string> labels;
      for (const Key key : keys) labels.push_back(place.at(key));
      // The lanes share the machine.
      const double least = roofline.least_seconds(span.cost) * table.lanes;
      add(rows[labels], span, least);
      add(table.sum, span, least);
    }
  }
  for (auto& [labels, row] : rows) {
    row.labels = labels;
    table.rows.push_back(std::move(row));
  }
  std::sort(table.rows.begin(), table.rows.end(), [&](const Row& a, const Row& b) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto x = rank(keys[i], a.labels[i]), y = rank(keys[i], b.labels[i]);
      if (x != y) return x < y;
    }
    return false;
  });
  table.wall_seconds = recording.seconds;
  table.total_seconds = table.wall_seconds * table.lanes;
  table.outside_seconds = table.total_seconds - table.sum.seconds;
  return table;
}

}  // namespace innerloop::meta::profile
