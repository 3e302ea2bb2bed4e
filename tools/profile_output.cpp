#include "tools/profile_output.h"

#include <fmt/core.h>

#include <algorithm>

namespace innerloop::tools {

namespace profile = meta::profile;

namespace {

/// The width of each column of labels.
std::vector<std::size_t> label_widths(const profile::Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t k = 0; k < table.keys.size(); ++k) {
    std::size_t width = name_of(table.keys[k]).size();
    for (const profile::Row& row : table.rows) width = std::max(width, row.labels[k].size());
    widths.push_back(width + 2);
  }
  // Room for the rows that close a table.
  constexpr std::size_t kLeast = 17;
  std::size_t all = 0;
  for (const std::size_t w : widths) all += w;
  if (all < kLeast) widths.back() += kLeast - all;
  return widths;
}

void print_numbers(const profile::Row& row, double total) {
  const double rate = row.seconds > 0 ? 1e-9 / row.seconds : 0;
  const auto flops = static_cast<double>(row.cost.flops), bytes = static_cast<double>(row.cost.bytes);
  fmt::print("{:>11.3f} {:>6.1f} {:>9} {:>10.4g} {:>10.4g} {:>9.1f} {:>8.1f} {:>7.0f}\n", row.seconds * 1e3,
             100 * row.seconds / total, row.calls, flops * 1e-9, bytes * 1e-6, flops * rate, bytes * rate,
             100 * row.roofline_share());
}

}  // namespace

std::string describe(const profile::Roofline& r) {
  std::string text = fmt::format("{:.1f} GFLOP/s of multiply-adds, {:.1f} GB/s of memory", r.flops_per_s * 1e-9,
                                 r.memory_bytes_per_s * 1e-9);
  if (r.cache_bytes_per_s > 0)
    text += fmt::format(", {:.1f} GB/s of caches (calls of up to {} KiB)", r.cache_bytes_per_s * 1e-9, r.cache_bytes >> 10);
  return text;
}

void print_table(const profile::Table& table) {
  const std::vector<std::size_t> widths = label_widths(table);
  std::size_t all = 0;
  for (std::size_t k = 0; k < widths.size(); ++k) {
    fmt::print("{:<{}}", name_of(table.keys[k]), widths[k]);
    all += widths[k];
  }
  fmt::print("{:>11} {:>6} {:>9} {:>10} {:>10} {:>9} {:>8} {:>7}\n", "ms", "%", "calls", "GFLOP", "MB", "GFLOP/s", "GB/s",
             "roof %");
  for (const profile::Row& row : table.rows) {
    for (std::size_t k = 0; k < widths.size(); ++k) fmt::print("{:<{}}", row.labels[k], widths[k]);
    print_numbers(row, table.total_seconds);
  }
  const auto time = [&](const char* name, double seconds) {
    fmt::print("{:<{}}{:>11.3f} {:>6.1f}\n", name, all, seconds * 1e3, 100 * seconds / table.total_seconds);
  };
  fmt::print("{:<{}}", "kernels", all);
  print_numbers(table.sum, table.total_seconds);
  time("outside kernels", table.outside_seconds);
  if (table.at_work_seconds > 0) time("  of it at work", table.at_work_seconds);
  time("total", table.total_seconds);
}

Json json_of(const profile::Roofline& r) {
  return {{"flops_per_s", r.flops_per_s},
          {"memory_bytes_per_s", r.memory_bytes_per_s},
          {"cache_bytes_per_s", r.cache_bytes_per_s},
          {"cache_bytes", r.cache_bytes}};
}

Json json_of_rows(const profile::Table& table) {
  Json rows = Json::array();
  for (const profile::Row& row : table.rows) {
    Json j;
    for (std::size_t k = 0; k < table.keys.size(); ++k) j[std::string(name_of(table.keys[k]))] = row.labels[k];
    j["calls"] = row.calls;
    j["seconds"] = row.seconds;
    j["flops"] = row.cost.flops;
    j["bytes"] = row.cost.bytes;
    j["roofline_share"] = row.roofline_share();
    rows.push_back(std::move(j));
  }
  return rows;
}

}  // namespace innerloop::tools
