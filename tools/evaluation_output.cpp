#include "tools/evaluation_output.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "io/report.h"

namespace innerloop::tools {
namespace {

/// "0.412", or "n/a" for what does not exist.
std::string share(double value) { return std::isfinite(value) ? fmt::format("{:.3f}", value) : "n/a"; }

/// The hash of the data that the figures rest on, which only the protocol of the result knows.
std::string data_hash(const meta::EvalResult& result) {
  for (const auto& [key, value] : result.protocol)
    if (key.find("hash") != std::string::npos) return value;
  return {};
}

Json protocol_of(const meta::EvalResult& result, const io::Config& config) {
  return {{"ways", config.eval.ways},
          {"shots", config.eval.shots},
          {"queries", config.eval.queries},
          {"episodes", result.accuracy.n},
          {"steps", config.eval.steps},
          {"rate", config.inner.rate},
          {"norm", io::name_of(config.eval.norm)},
          {"seed", config.run.seed},
          {"data_hash", data_hash(result)}};
}

}  // namespace

Json json_of(const meta::NamedResult& named) {
  const int n = named.confusion.classes();
  Json counts = Json::array(), per_class = Json::array();
  for (int truth = 0; truth < n; ++truth) {
    Json row = Json::array();
    for (int predicted = 0; predicted < n; ++predicted) row.push_back(named.confusion.count(truth, predicted));
    counts.push_back(std::move(row));
    const auto c = static_cast<std::size_t>(truth);
    const meta::ClassScores& s = named.per_class[c];
    per_class.push_back({{"class", named.classes[c]},
                         {"precision", s.precision},
                         {"recall", s.recall},
                         {"specificity", s.specificity},
                         {"f1", s.f1},
                         {"roc_auc", named.roc_auc[c]},
                         {"pr_auc", named.average_precision[c]},
                         {"images", s.support}});
  }
  return {{"classes", named.classes}, {"confusion", counts}, {"per_class", per_class}};
}

namespace {

void print_named(const meta::NamedResult& named) {
  std::size_t width = 5;
  for (const std::string& name : named.classes) width = std::max(width, name.size());
  fmt::print("\n{:<{}}  precision  recall     f1  ROC-AUC  PR-AUC  images\n", "class", width);
  for (std::size_t c = 0; c < named.classes.size(); ++c) {
    const meta::ClassScores& s = named.per_class[c];
    fmt::print("{:<{}}  {:>9}  {:>6}  {:>5}  {:>7}  {:>6}  {:>6}\n", named.classes[c], width, share(s.precision),
               share(s.recall), share(s.f1), share(named.roc_auc[c]), share(named.average_precision[c]), s.support);
  }
  fmt::print("\nconfusion: a row a true class, a column a predicted one, in the order above\n");
  for (int truth = 0; truth < named.confusion.classes(); ++truth) {
    fmt::print("{:<{}}", named.classes[static_cast<std::size_t>(truth)], width);
    for (int predicted = 0; predicted < named.confusion.classes(); ++predicted)
      fmt::print("  {:>7}", named.confusion.count(truth, predicted));
    fmt::print("\n");
  }
}

/// What every evaluation measures, over episodes or over images.
Json scores_of(const meta::EvalResult& result) {
  const meta::Estimate& a = result.accuracy;
  return {{"accuracy", a.mean},
          {"half_width", a.half_width},
          {"interval", {a.mean - a.half_width, a.mean + a.half_width}},
          {"precision", result.precision},
          {"recall", result.recall},
          {"f1", result.f1},
          {"roc_auc", result.roc_auc},
          {"pr_auc", result.average_precision},
          {"loss", result.query_loss},
          {"seconds", result.seconds}};
}

}  // namespace

Json json_of(const meta::EvalResult& result, const io::Config& config) {
  Json object = scores_of(result);
  object["episodes"] = result.accuracy.n;
  object.update(result.has_named ? json_of(result.named)
                                 : Json{{"classes", nullptr}, {"confusion", nullptr}, {"per_class", nullptr}});
  Json left_out = Json::array();
  for (const meta::LeftOutClass& c : result.left_out) left_out.push_back({{"class", c.name}, {"images", c.images}});
  object["left_out"] = std::move(left_out);
  object["protocol"] = protocol_of(result, config);
  return object;
}

Json json_of_images(const meta::EvalResult& result) {
  Json object = scores_of(result);
  object["specificity"] = result.named.macro.specificity;
  object["images"] = result.accuracy.n;
  object.update(json_of(result.named));
  Json protocol = Json::object();
  for (const auto& [key, value] : result.protocol) protocol[key] = value;
  object["protocol"] = std::move(protocol);
  return object;
}

void print_evaluation(const meta::EvalResult& result) {
  fmt::print("accuracy {}  (95 % interval over {} {})\n",
             io::percent_with_interval(result.accuracy.mean, result.accuracy.half_width), result.accuracy.n,
             result.unit);
  fmt::print("precision {}  recall {}  F1 {}  ROC-AUC {}  PR-AUC {}  loss {:.4f}\n", share(result.precision),
             share(result.recall), share(result.f1), share(result.roc_auc), share(result.average_precision),
             result.query_loss);
  if (result.has_named) print_named(result.named);
  fmt::print("\nprotocol\n");
  for (const auto& [key, value] : result.protocol) fmt::print("  {:<11} {}\n", key, value);
}

}  // namespace innerloop::tools
