// What the paper reports, as far as its running text says it.
//
// Source: Miao et al., "UMLF-COVID", BMC Medical Imaging 21:174, 2021, section Results. The cells of its tables 2 to 9
// are not part of the text that these figures were read from; what the text states of them is here, each beside the
// number of its table, and what it does not state is left open. "Nearly 97 %" and the like stand as 0.97.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace innerloop::meta::reproduce {

/// Shares in [0, 1]; none where the text says nothing.
struct PublishedScores {
  std::optional<double> accuracy = {}, precision = {}, recall = {}, f1 = {};
};

struct PublishedRow {
  std::string system;  ///< Contestant::key; in tables 2, 3, 6 and 7 a class (classes.h, paper_name), or "" for all
  PublishedScores scores;
};

struct PublishedTable {
  int number = 0;
  std::string title, data_set;  ///< "BIMCV" or "XRay_AI"
  std::int64_t ways = 0;
  bool by_class = false;  ///< a row a class of UMLF-COVID; else a row a system
  std::vector<PublishedRow> rows;
  std::string words = {};  ///< what the text says beyond figures
};

/// Tables 2 to 9, all of 10 shots.
const std::vector<PublishedTable>& published_tables();
inline constexpr std::int64_t kPublishedShots = 10;

}  // namespace innerloop::meta::reproduce
