// What `innerloop profile` prints: tables for people, one object for programs.
#pragma once

#include <string>
#include <vector>

#include "meta/profile/table.h"
#include "tools/messages.h"

namespace innerloop::tools {

/// "96.3 GFLOP/s of multiply-adds, ..."
std::string describe(const meta::profile::Roofline& roofline);

/// The rows with their share of the total, what is outside of kernels, and the total. On stdout.
void print_table(const meta::profile::Table& table);

Json json_of(const meta::profile::Roofline& roofline);
/// A list of rows, each with its labels under the names of the keys.
Json json_of_rows(const meta::profile::Table& table);

}  // namespace innerloop::tools
