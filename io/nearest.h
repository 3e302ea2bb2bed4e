// Nearest: "did you mean ...?" for a misspelt key, preset or choice.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace innerloop::io {

/// The Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions and swaps of
/// neighbours, each counting 1.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate with the smallest distance to `word`, the first of equals; empty when none is near enough to be meant
/// (more than a third of the word's length, and more than 2).
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "; did you mean 'rate'?", or nothing when no candidate is near.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace innerloop::io
