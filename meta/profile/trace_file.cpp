#include "meta/profile/trace_file.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "meta/profile/table.h"

namespace innerloop::meta::profile {
namespace {

/// A JSON string with its quotes.
std::string json_text(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void name_track(std::string& out, int track, std::string_view name) {
  fmt::format_to(std::back_inserter(out), R"({{"ph":"M","pid":1,"tid":{0},"name":"thread_name","args":{{"name":{1}}}}},)" "\n"
                                          R"({{"ph":"M","pid":1,"tid":{0},"name":"thread_sort_index","args":{{"sort_index":{0}}}}},)" "\n",
                 track, json_text(name));
}

void add_span(std::string& out, int track, const Track& parents, const Span& span) {
  fmt::format_to(std::back_inserter(out), R"({{"ph":"X","pid":1,"tid":{},"name":{},"cat":"{}","ts":{:.3f},"dur":{:.3f},"args":{{)",
                 track, json_text(span.name), span.is_kernel() ? "kernel" : "range", span.begin * 1e6, (span.end - span.begin) * 1e6);
  if (span.is_kernel()) {
    const Place place = place_of(parents, span);
    fmt::format_to(std::back_inserter(out), R"("layer":{},"step":{},"order":{},"flops":{},"bytes":{})", json_text(place.layer),
                   json_text(place.step), json_text(place.order), span.cost.flops, span.cost.bytes);
  } else if (span.step != kNoInnerStep) {
    fmt::format_to(std::back_inserter(out), R"("step":"{}")", span.step + 1);
  }
  out += "}},\n";
}

}  // namespace

std::string chrome_trace(const Recording& recording) {
  std::string out = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  int track = 0;
  const auto add_track = [&](const Track& t, const Track& parents) {
    name_track(out, ++track, t.name);
    for (const Span& span : t.spans) add_span(out, track, parents, span);
  };
  for (const Track& t : recording.threads) add_track(t, t);
  if (recording.queue) add_track(*recording.queue, recording.threads.front());
  // The list ends with an event, not with a comma.
  out += R"({"ph":"M","pid":1,"tid":0,"name":"process_name","args":{"name":"innerloop"}})";
  return out + "\n]}\n";
}

}  // namespace innerloop::meta::profile
