// Report: one self-contained HTML file about one run. No network, no script: charts are inline SVG, the style follows
// the reader's light or dark preference, and every text from outside is escaped.
//
// Parts without data are left out. The text depends on the data alone: the same ReportData gives the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/run_log.h"

namespace innerloop::io {

/// A number that leads the page: {"Accuracy", "83.8 ± 0.6 %", "600 episodes, 95 % interval"}.
struct Headline {
  std::string label, value, note = {};
};

/// A line in the unit square.
struct RateCurve {
  std::string name;
  std::vector<double> x = {}, y = {};  ///< ROC: false and true positive rate; PR: recall and precision
  double area = kNotMeasured;
};

/// counts[true class * n + predicted class].
struct ConfusionMatrix {
  std::vector<std::string> classes;
  std::vector<std::int64_t> counts;
};

struct ClassScore {
  std::string name = {};
  double precision = kNotMeasured, recall = kNotMeasured, f1 = kNotMeasured;
  std::int64_t support = 0;  ///< query images of this class
};

struct ProtocolEntry {
  std::string key, value;
};

/// A picture that the page carries within itself.
struct EmbeddedImage {
  std::string png;  ///< the file's bytes; empty = none
  std::string caption;
};

/// An input that could not be used, and why.
struct UnusedInput {
  std::string path, reason;
};

/// What the learning curves call their lines.
struct CurveWords {
  std::string step = "meta-step", training_loss = "query, training", checked_loss = "query, held out";
  std::string training_accuracy = "training", checked_accuracy = "held out", answers = "queries";
};

struct ReportData {
  std::string title, subtitle;
  CurveWords words;
  std::vector<Headline> headlines;
  RunHistory history;                     ///< learning curves; evaluations carry their intervals
  double chance_accuracy = kNotMeasured;  ///< 1 / ways: what guessing scores, drawn as a guide
  EmbeddedImage episodes;                 ///< drawn tasks: support images beside augmented queries
  ConfusionMatrix confusion;
  std::vector<ClassScore> scores;
  std::vector<RateCurve> roc, precision_recall;  ///< one a class
  std::vector<ProtocolEntry> protocol;
  std::string config_toml;
  std::vector<UnusedInput> skipped;
  std::vector<std::string> cautions;  ///< beyond the standing one, which is always printed
};

/// "83.8 ± 0.6 %" from shares in [0, 1]; without the interval where `half_width` is not finite, "n/a" without a value.
std::string percent_with_interval(double value, double half_width);

/// The page as UTF-8. Throws Error, naming the part, when sizes within it disagree.
std::string render_report(const ReportData& data);

}  // namespace innerloop::io
