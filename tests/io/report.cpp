#include "io/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>

#include "io/chart.h"
#include "io/html.h"
#include "tensor/error.h"
#include "tests/io/report_sample.h"
#include "tests/io/text.h"

namespace innerloop::io {
namespace {

std::size_t count(const std::string& text, const std::string& piece) {
  std::size_t n = 0;
  for (std::size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + piece.size())) ++n;
  return n;
}

/// The tags of `html` nest and close. Style text and void elements are stepped over.
testing::AssertionResult well_formed(const std::string& html) {
  static const std::regex tag("<(/?)([a-z][a-z0-9]*)([^<>]*)>");
  std::vector<std::string> open;
  for (auto it = std::sregex_iterator(html.begin(), html.end(), tag); it != std::sregex_iterator(); ++it) {
    const std::string name = (*it)[2], rest = (*it)[3];
    if (name == "meta" || name == "img" || (!rest.empty() && rest.back() == '/')) continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return testing::AssertionFailure() << "</" << name << "> closes " << (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  if (!open.empty()) return testing::AssertionFailure() << "<" << open.back() << "> stays open";
  return testing::AssertionSuccess();
}

TEST(Report, ThePageIsWholeSelfContainedAndRepeatable) {
  const std::string html = render_report(sample_report());
  // For looking at the page: IL_REPORT_SAMPLE names the file to leave it in.
  if (const char* path = std::getenv("IL_REPORT_SAMPLE")) std::ofstream(path) << html;

  EXPECT_TRUE(well_formed(html));
  EXPECT_EQ(html, render_report(sample_report()));
  for (const char* outside : {"http:", "https:", "<script", "<link", "@import", "url(", "src=\"/"}) {
    EXPECT_FALSE(contains(html, outside)) << outside;
  }
  EXPECT_TRUE(contains(html, "prefers-color-scheme: dark"));
  EXPECT_TRUE(contains(html, "name=\"viewport\""));
  EXPECT_TRUE(contains(html, "No number on this page is a clinical claim."));
  EXPECT_TRUE(contains(html, "can be a shortcut"));
  for (const char* part :
       {"89.1 ± 1.2 %", "id=\"learning\"", "id=\"evaluation\"", "id=\"episodes\"", "id=\"protocol\"", "id=\"skipped\"",
        "Confusion matrix", "<td>0.898</td>",
        "mean of classes</th><td>0.891</td><td>0.892</td><td>0.891</td><td>6,000</td>", "1,820", "91.0\u202F%",
        "data:image/png;base64,iVBORw0KGgo", "occur twice", "[model]\nfilters = [128, 64, 64, 64]"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  EXPECT_EQ(count(html, "role=\"img\""), 4u);
  EXPECT_EQ(count(html, "<desc id="), 4u);
  EXPECT_FALSE(contains(html, "nan"));
  EXPECT_FALSE(contains(html, "inf\""));
}

TEST(Report, PartsWithoutDataAreLeftOut) {
  ReportData data;
  data.title = "Bare";
  data.chance_accuracy = 0.5;
  std::string html = render_report(data);
  EXPECT_TRUE(well_formed(html));
  EXPECT_TRUE(contains(html, "clinical claim"));
  for (const char* part : {"<section", "<figure", "<table", "<img", "<details", "<dl"})
    EXPECT_FALSE(contains(html, part)) << part;

  // Steps alone, without any accuracy: one chart, and no empty frame for the other.
  data.history.steps = {{.step = 1, .loss = 2}, {.step = 2, .loss = 1}};
  html = render_report(data);
  EXPECT_TRUE(well_formed(html));
  EXPECT_EQ(count(html, "role=\"img\""), 1u);
}

TEST(Report, EveryTextFromOutsideIsEscaped) {
  const std::string evil = "<b onload='x' \"&\x01\xff";
  ReportData data = sample_report();
  data.title = data.subtitle = data.config_toml = data.episodes.caption = evil;
  data.headlines = {{evil, evil, evil}};
  data.confusion.classes[0] = data.scores[0].name = data.roc[0].name = data.precision_recall[0].name = evil;
  data.protocol = {{evil, evil}};
  data.skipped = {{evil, evil}};
  data.cautions = {evil};
  const std::string html = render_report(data);
  EXPECT_TRUE(well_formed(html));
  EXPECT_FALSE(contains(html, "<b onload"));
  EXPECT_FALSE(contains(html, "\xff"));
  const std::string safe = "&lt;b onload=&#39;x&#39; &quot;&amp;\xEF\xBF\xBD\xEF\xBF\xBD";
  EXPECT_GE(count(html, safe), 17u);
}

TEST(Report, SizesThatDisagreeAreNamed) {
  ReportData data = sample_report();
  data.confusion.counts.pop_back();
  EXPECT_THROW(render_report(data), Error);
  data = sample_report();
  data.roc[1].x.pop_back();
  try {
    render_report(data);
    FAIL() << "a curve without its last x went unnoticed";
  } catch (const Error& error) {
    EXPECT_TRUE(contains(error.what(), "the ROC curve of 'normal' has 200 x and 201 y values")) << error.what();
  }
}

TEST(Report, ManyClassesTakeTheDenseLayout) {
  ReportData data;
  data.title = "t";
  for (int i = 0; i < 20; ++i) data.confusion.classes.push_back("class " + std::to_string(i));
  data.confusion.counts.assign(400, 0);
  data.confusion.counts[21] = 15;
  const std::string html = render_report(data);
  EXPECT_TRUE(well_formed(html));
  EXPECT_TRUE(contains(html, "<figure class=\"dense\"><h3>Confusion matrix"));
  EXPECT_TRUE(contains(html, "class=\"right strong\" style=\"--share:1.000\"><b>15</b>"));
  EXPECT_FALSE(contains(render_report(sample_report()), "<figure class=\"dense\""));
}

TEST(Report, NumbersThatWereNotMeasuredShowAsSuch) {
  EXPECT_EQ(percent_with_interval(0.8382, 0.0059), "83.8 ± 0.6 %");
  EXPECT_EQ(percent_with_interval(0.8382, NAN), "83.8 %");
  EXPECT_EQ(percent_with_interval(NAN, 0.1), "n/a");
  ReportData data;
  data.title = "t";
  data.scores = {{.name = "never predicted", .support = 0}};
  data.confusion = {{"a", "b"}, {0, 0, 1, 1}};
  const std::string html = render_report(data);
  EXPECT_TRUE(contains(html, "<td>–</td>"));
  EXPECT_TRUE(contains(html, "0.0\u202F%")) << "an empty row divides by nothing";
  EXPECT_FALSE(contains(html, "nan"));
}

TEST(Chart, TicksAreRoundAndInside) {
  EXPECT_EQ(nice_ticks({0, 1}, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(nice_ticks({0, 2000}, 5), (std::vector<double>{0, 500, 1000, 1500, 2000}));
  EXPECT_EQ(nice_ticks({-3, 7}, 5), (std::vector<double>{-2, 0, 2, 4, 6}));
  EXPECT_TRUE(nice_ticks({1, 1}, 5).empty());
  EXPECT_TRUE(nice_ticks({0, INFINITY}, 5).empty());
}

TEST(Chart, PointsLandWhereTheAxesSay) {
  const std::string svg = render_chart({.id = "c",
                                        .title = "t",
                                        .x_label = "x",
                                        .y_label = "y",
                                        .x_range = Range{0, 10},
                                        .y_range = Range{0, 1},
                                        .series = {{.name = "s", .x = {0, 5, 10}, .y = {0, 0.5, 1}}}});
  // The frame: x from 52 to 408, y from 212 up to 26.
  EXPECT_TRUE(contains(svg, "d=\"M52.0 212.0L230.0 119.0L408.0 26.0\"")) << svg;
}

TEST(Chart, GapsBreakTheLineAndBandsAndEmptyChartsVanish) {
  Series s{.name = "s", .x = {0, 1, 2, 3, 4}, .y = {1, 1, NAN, 1, 1}};
  s.low = {0.5, 0.5, NAN, 0.5, NAN};
  s.high = {1.5, 1.5, NAN, 1.5, NAN};
  const std::string svg = render_chart({.id = "c", .title = "t", .series = {s}});
  const std::string line = svg.substr(svg.rfind("<path class=\"line"));
  EXPECT_EQ(count(line, "M"), 2u) << line;
  EXPECT_EQ(count(svg, "class=\"band s0\""), 1u);
  EXPECT_EQ(count(svg, "class=\"whisker s0\""), 1u);
  EXPECT_FALSE(contains(svg, "nan"));
  EXPECT_EQ(render_chart({.id = "c", .title = "t", .series = {{.name = "s", .x = {1}, .y = {NAN}}}}), "");
  EXPECT_FALSE(contains(render_chart({.id = "c", .title = "t", .series = {{.name = "s", .x = {5}, .y = {0}}}}), "nan"));
  EXPECT_THROW(render_chart({.id = "c", .title = "t", .series = {{.name = "s", .x = {1, 2}, .y = {1}}}}), Error);
}

TEST(Html, Base64FollowsTheStandard) {
  // The test vectors of RFC 4648, section 10.
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::string_view("\xff\x00\xfe", 3)), "/wD+");
}

TEST(Html, EscapingKeepsGoodTextAndMarksBadBytes) {
  EXPECT_EQ(escape_html("Zürich 日本 😀\n\t"), "Zürich 日本 😀\n\t");
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(escape_html("a\xC0\xAFz"), "a" + mark + mark + "z");  // overlong
  EXPECT_EQ(escape_html("\xED\xA0\x80"), mark + mark + mark);     // surrogate
  EXPECT_EQ(escape_html("\xF4\x90\x80\x80").substr(0, 3), mark);  // beyond U+10FFFF
  EXPECT_EQ(escape_html("end\xE2\x82"), "end" + mark + mark);     // cut short
  EXPECT_EQ(with_separators(1234567), "1,234,567");
  EXPECT_EQ(with_separators(-1234), "-1,234");
  EXPECT_EQ(with_separators(999), "999");
}

}  // namespace
}  // namespace innerloop::io
