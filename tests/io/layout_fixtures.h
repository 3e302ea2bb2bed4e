// The published layouts in small: folders, tables and sidecars as the sources have them, around generated pictures.
#pragma once

#include <string>

#include "data_fixtures.h"
#include "raw_png.h"

namespace innerloop::io {

/// Every picture has pixels of its own, by a running number.
class LayoutMaker {
 public:
  LayoutMaker(const TempFolder& folder, std::string root) : folder_(folder), root_(std::move(root)) {}

  std::string root() const { return folder_.path(root_); }
  void text(const std::string& name, std::string_view content) { folder_.write(root_ + "/" + name, content); }
  void image(const std::string& name) { folder_.write_png(root_ + "/" + name, 12, 10, ++number_); }
  void deep_image(const std::string& name) {
    std::vector<std::uint16_t> samples(120);
    ++number_;
    for (std::size_t i = 0; i < samples.size(); ++i)
      samples[i] = static_cast<std::uint16_t>(1000 + 17 * number_ + 20 * i);
    folder_.write(root_ + "/" + name, deep_png(10, 12, samples));
  }

 private:
  const TempFolder& folder_;
  std::string root_;
  int number_ = 0;
};

/// Chest X-Ray Images: 3 normal, 3 bacterial and 2 viral images of 6 children; person1 has both kinds.
inline std::string make_kermany(const TempFolder& folder, const std::string& root) {
  LayoutMaker make(folder, root);
  make.image("chest_xray/train/NORMAL/IM-0115-0001.png");
  make.image("chest_xray/train/NORMAL/NORMAL2-IM-0207-0001.png");
  make.image("chest_xray/test/NORMAL/NORMAL-10033-0001.png");
  make.image("chest_xray/train/PNEUMONIA/person1_bacteria_1.png");
  make.image("chest_xray/train/PNEUMONIA/person1_bacteria_2.png");
  make.image("chest_xray/val/PNEUMONIA/BACTERIA-7422-0001.png");
  make.image("chest_xray/test/PNEUMONIA/person1_virus_6.png");
  make.image("chest_xray/test/PNEUMONIA/person2_virus_7.png");
  make.image("chest_xray/test/PNEUMONIA/person3_unknown_8.png");
  make.image("chest_xray/__MACOSX/train/NORMAL/leaving.png");
  make.text("chest_xray/train/NORMAL/.DS_Store", "");
  return make.root();
}

/// BIMCV-COVID19+: 6 usable images of 16 bits in 5 classes; 9 that are not, or are not there.
inline std::string make_bimcv(const TempFolder& folder, const std::string& root) {
  LayoutMaker make(folder, root);
  const auto file = [](const std::string& sub, const std::string& ses, const std::string& rest) {
    return "covid19_posi/sub-" + sub + "/ses-" + ses + "/mod-rx/sub-" + sub + "_ses-" + ses + "_" + rest;
  };
  make.deep_image(file("S1", "E1", "run-1_bp-chest_vp-ap_dx.png"));
  make.text(file("S1", "E1", "run-1_bp-chest_vp-ap_dx.json"),
            R"({"00281050": {"vr": "DS", "Value": [2300]}, "00281051": {"vr": "DS", "Value": ["2400"]},
                "00280004": {"vr": "CS", "Value": ["MONOCHROME1"]}})");
  make.deep_image(file("S1", "E1", "run-2_bp-chest_vp-ll_dx.png"));  // lateral by its name
  make.deep_image(file("S1", "E2", "run-1_bp-chest_cr.png"));        // lateral by its JSON
  make.text(file("S1", "E2", "run-1_bp-chest_cr.json"), R"({"ViewPosition": "LL"})");
  make.deep_image(file("S1", "E2", "run-2_bp-chest_vp-pa_cr.png"));
  make.deep_image(file("S2", "E3", "run-1_bp-chest_cr.png"));  // nothing tells its view
  make.deep_image(file("S2", "E3", "run-2_bp-abdomen_vp-ap_cr.png"));
  make.deep_image(file("S3", "E4", "run-1_bp-chest_vp-pa_cr.png"));  // no row
  make.deep_image(file("S3", "E5", "run-1_bp-chest_vp-pa_cr.png"));
  make.deep_image(file("S4", "E6", "run-1_bp-chest_vp-pa_cr.png"));
  make.deep_image(file("S4", "E7", "run-1_bp-chest_vp-pa_cr.png"));  // two classes at once
  make.deep_image(file("S5", "E8", "run-1_bp-chest_vp-pa_cr.png"));
  make.image("covid19_posi/sub-S5/ses-E8/mod-ct/sub-S5_ses-E8_ct.png");
  make.text("covid19_posi/sub-S5/ses-E8/sub-S5_ses-E8_scans.tsv",
            "filename\tday\nmod-rx/sub-S5_ses-E8_run-1_bp-chest_vp-pa_cr.png\t1\nmod-rx/gone.png\t1\n");
  make.text("covid19_posi/participants.tsv", "participant\tgender\nsub-S1\tF\n");
  make.text("covid19_posi/derivatives/labels/labels_covid_posi.tsv",
            "\tPatientID\tReportID\tReport\tLabels\tLocalizations\n"
            "0\tsub-S1\tses-E1\tun \"caso\" claro\t['COVID 19', 'viral pneumonia', 'pneumonia']\t[]\n"
            "1\tsub-S1\tses-E2\tx\t['normal']\t[]\n"
            "2\tsub-S2\tses-E3\tx\t['pneumonia', 'bacterial pneumonia']\t[]\n"
            "3\tsub-S3\tses-E5\tx\t['viral pneumonia' 'infiltrates']\t[]\n"
            "4\tsub-S4\tses-E6\tx\t['atypical pneumonia']\t[]\n"
            "5\tsub-S4\tses-E7\tx\t['normal', 'pneumonia']\t[]\n"
            "6\tsub-S5\tses-E8\tx\t['COVID 19']\t[]\n"
            "7\tsub-S9\tses-E9\tx\t['normal']\t[]\n");
  return make.root();
}

/// CC-CXRI-P: 7 frontal images in five classes, patients by folder and by metadata.
inline std::string make_cc_cxri(const TempFolder& folder, const std::string& root) {
  LayoutMaker make(folder, root);
  make.image("CC-CXRI-P/COVID-19/1001/1/a.png");
  make.image("CC-CXRI-P/COVID-19/1001/2/b.png");
  make.image("CC-CXRI-P/COVID-19/1001/2/side.png");
  make.image("CC-CXRI-P/Normal/2001/c.png");
  make.image("CC-CXRI-P/Viral pneumonia/d.png");
  make.image("CC-CXRI-P/Bacterial/e.png");
  make.image("CC-CXRI-P/Bacterial/f.png");
  make.image("CC-CXRI-P/Other_pneumonia/g.png");
  make.text("CC-CXRI-P/metadata.csv",
            "file,patient,view\nCOVID-19/1001/2/side.png,1001,lateral\nd.png,3001,PA\ne.png,4001,AP\nf.png,4001,PA\n"
            "g.png,3001,PA\nlost.png,9,PA\n");
  return make.root();
}

}  // namespace innerloop::io
