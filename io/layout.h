// Layouts: the ways in which published sets of chest X-rays lie in folders, and how one is told from another.
//
//   folders  one subfolder a class, or one flat folder (dataset.h)
//   bimcv    BIMCV-COVID19+ (de la Iglesia Vaya et al., arXiv:2006.01174): MIDS, an extension of BIDS (layout_bimcv.cpp)
//   kermany  Chest X-Ray Images (Kermany et al., Cell 172:1122, 2018): train, val and test (layout_kermany.cpp)
//   cc_cxri  Chest XRay_AI of CC-CXRI (Wang et al., Nature Biomedical Engineering 5:509, 2021) (layout_cc_cxri.cpp)
//   mapped   any other: a data.toml in the folder says how to read it (data_map.h)
//   auto     mapped where there is a data.toml; else bimcv, kermany or cc_cxri where the folders look like one of them
//            beyond doubt; else folders
//
// The three published layouts give the same five names to what they hold: covid19, normal, bacterial, viral,
// other_pneumonia. So sets of several sources combine without a table of names.
#pragma once

#include <cstdint>
#include <string_view>

namespace innerloop::io {

enum class Layout : std::uint8_t { kAuto, kFolders, kBimcv, kKermany, kCcCxri, kMapped };

/// "auto", "folders", "bimcv", "kermany", "cc_cxri" or "mapped".
std::string_view name_of(Layout layout);

}  // namespace innerloop::io
