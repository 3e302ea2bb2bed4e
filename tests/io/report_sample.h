// Made-up data with the shape of a real run, for tests of the report and for looking at the page.
#pragma once

#include "io/report.h"

namespace innerloop::io {

/// A three-class run of 2,000 meta-steps with every part of the page filled in.
ReportData sample_report();

}  // namespace innerloop::io
