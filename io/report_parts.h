// The parts of the report pages, each a string of HTML, empty when its data are missing. For those who make a page (report.h,
// page.h).
#pragma once

#include <string>
#include <string_view>

#include "io/report.h"

namespace innerloop::io::report {

/// The style sheet: custom properties for both colour schemes, a grid that folds to one column on a phone.
std::string_view style_sheet();

/// Loss and accuracy over the meta-steps, evaluations with their intervals.
std::string learning_curves(const ReportData& data);
/// ROC and precision-recall, one curve a class.
std::string rate_curves(const ReportData& data);
std::string confusion_table(const ConfusionMatrix& confusion, std::string_view title = "Confusion matrix");
std::string score_table(const std::vector<ClassScore>& scores);

/// "0.913", or a dash when it was not measured.
std::string fixed(double value, int decimals);

}  // namespace innerloop::io::report
