#include "meta/ensemble.h"

#include "tensor/error.h"

#ifdef IL_HAVE_OPENCV_ML

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/ml.hpp>
#include <span>

namespace innerloop::meta {
namespace {

using cv::Ptr;
using cv::ml::Boost;
using cv::ml::DTrees;
using cv::ml::RTrees;
using cv::ml::SVM;

constexpr int kTrees = 100, kDepth = 10, kStumps = 100;
constexpr std::size_t kVoters = 4;
constexpr const char* kVersion = "1";

/// OpenCV prints its errors and takes all cores unless told otherwise.
void quiet_opencv() {
  static const bool done = [] {
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
    cv::setNumThreads(1);
    return true;
  }();
  static_cast<void>(done);
}

template <class F>
auto with_opencv(const std::string& what, F f) {
  quiet_opencv();
  try {
    return f();
  } catch (const cv::Exception& e) {
    fail("{}: {}", what, e.err.empty() ? e.what() : e.err);
  }
}

cv::Mat matrix_of(const Tensor& features) {
  const Shape& s = features.shape();
  IL_CHECK(s.rank() == 2 && features.dtype() == DType::kF32, "emcnet: features of shape {} {}; f32 [N, F] is needed",
           s.to_string(), name_of(features.dtype()));
  cv::Mat m(static_cast<int>(s[0]), static_cast<int>(s[1]), CV_32F);
  const Tensor host = features.to_host();
  std::ranges::copy(host.data<float>(), m.ptr<float>());
  return m;
}

/// Of the four that are trees or sums of trees; no pruning, so that no cross-validation draws from the images.
void set_tree(DTrees& tree, int depth) {
  tree.setMaxDepth(depth);
  tree.setMinSampleCount(2);
  tree.setCVFolds(0);
  tree.setUseSurrogates(false);
}

}  // namespace

struct Ensemble::Impl {
  int ways = 0;
  cv::Mat mean, deviation;  ///< f32 [1, F] of the training images
  Ptr<RTrees> forest;
  Ptr<SVM> svm;
  Ptr<DTrees> tree;
  std::vector<Ptr<Boost>> boost;  ///< one a class, against the rest

  cv::Mat standardised(const Tensor& features) const {
    cv::Mat x = matrix_of(features);
    IL_CHECK(x.cols == mean.cols, "emcnet: {} features where the classifiers read {}", x.cols, mean.cols);
    for (int i = 0; i < x.rows; ++i) x.row(i) = (x.row(i) - mean) / deviation;
    return x;
  }

  void measure(const cv::Mat& x) {
    mean.create(1, x.cols, CV_32F);
    deviation.create(1, x.cols, CV_32F);
    for (int f = 0; f < x.cols; ++f) {
      double sum = 0, squares = 0;
      for (int i = 0; i < x.rows; ++i) sum += x.at<float>(i, f);
      const double m = sum / x.rows;
      for (int i = 0; i < x.rows; ++i) squares += (x.at<float>(i, f) - m) * (x.at<float>(i, f) - m);
      const double s = std::sqrt(squares / x.rows);
      mean.at<float>(f) = static_cast<float>(m);
      deviation.at<float>(f) = s > 0 ? static_cast<float>(s) : 1;  // a feature that never moves says nothing
    }
  }

  void train(const cv::Mat& x, const cv::Mat& labels) {
    cv::setRNGSeed(1);  // of this thread; the forest draws from it, and whoever fitted before has moved it on
    const auto data = cv::ml::TrainData::create(x, cv::ml::ROW_SAMPLE, labels);
    forest = RTrees::create();
    set_tree(*forest, kDepth);
    forest->setActiveVarCount(0);  // sqrt(F)
    forest->setTermCriteria({cv::TermCriteria::MAX_ITER, kTrees, 0});
    forest->train(data);

    svm = SVM::create();
    svm->setType(SVM::C_SVC);
    svm->setKernel(SVM::RBF);
    svm->setC(1);
    svm->setGamma(1.0 / x.cols);
    svm->setTermCriteria({cv::TermCriteria::MAX_ITER + cv::TermCriteria::EPS, 10000, 1e-6});
    svm->train(data);

    tree = DTrees::create();
    set_tree(*tree, kDepth);
    tree->train(data);

    for (int c = 0; c < ways; ++c) {
      cv::Mat is_class(labels.size(), CV_32S);
      for (int i = 0; i < labels.rows; ++i) is_class.at<int>(i) = labels.at<int>(i) == c ? 1 : 0;
      const Ptr<Boost> one = Boost::create();
      one->setBoostType(Boost::REAL);
      one->setWeakCount(kStumps);
      one->setWeightTrimRate(0);
      set_tree(*one, 1);
      one->train(cv::ml::TrainData::create(x, cv::ml::ROW_SAMPLE, is_class));
      boost.push_back(one);
    }
  }

  /// Of the forest's trees, the share for each class: f64 [N * ways].
  std::vector<double> tree_shares(const cv::Mat& x) const {
    cv::Mat counts;  // the first row names the classes
    forest->getVotes(x, counts, DTrees::PREDICT_MAX_VOTE);
    std::vector<double> shares(static_cast<std::size_t>(x.rows * ways), 0);
    for (int i = 0; i < x.rows; ++i) {
      double all = 0;
      for (int k = 0; k < counts.cols; ++k) all += counts.at<int>(i + 1, k);
      for (int k = 0; k < counts.cols; ++k)
        shares[static_cast<std::size_t>(i * ways + counts.at<int>(0, k))] = counts.at<int>(i + 1, k) / all;
    }
    return shares;
  }

  int boosted_class(const cv::Mat& row) const {
    int best = 0;
    float most = 0;
    for (int c = 0; c < ways; ++c) {
      const float sum = boost[static_cast<std::size_t>(c)]->predict(row, cv::noArray(), DTrees::PREDICT_SUM);
      if (c == 0 || sum > most) {
        most = sum;
        best = c;
      }
    }
    return best;
  }
};

Ensemble::Ensemble(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ensemble::~Ensemble() = default;

std::shared_ptr<const Ensemble> Ensemble::fit(const Tensor& features, const std::vector<std::int32_t>& labels,
                                              std::int64_t ways) {
  IL_CHECK(features.shape().rank() == 2 && features.shape()[0] == static_cast<std::int64_t>(labels.size()),
           "emcnet: features of shape {} with {} labels", features.shape().to_string(), labels.size());
  std::vector<std::int64_t> images(static_cast<std::size_t>(ways), 0);
  for (const std::int32_t y : labels) {
    IL_CHECK(y >= 0 && y < ways, "emcnet: a label of {} among {} classes", y, ways);
    ++images[static_cast<std::size_t>(y)];
  }
  IL_CHECK(ways >= 2 && std::ranges::min(images) > 0,
           "emcnet: {} classes, of which {} have no image; each of two or more needs one", ways,
           std::ranges::count(images, 0));
  return with_opencv("emcnet: fitting the classifiers", [&] {
    auto impl = std::make_unique<Impl>();
    impl->ways = static_cast<int>(ways);
    impl->measure(matrix_of(features));
    cv::Mat y(static_cast<int>(labels.size()), 1, CV_32S);
    std::ranges::copy(labels, y.ptr<int>());
    impl->train(impl->standardised(features), y);
    return std::shared_ptr<const Ensemble>(new Ensemble(std::move(impl)));
  });
}

std::string Ensemble::save() const {
  return with_opencv("emcnet: writing the classifiers", [&] {
    cv::FileStorage out(".yml", cv::FileStorage::WRITE | cv::FileStorage::MEMORY | cv::FileStorage::FORMAT_YAML);
    out << "version" << kVersion << "ways" << impl_->ways << "mean" << impl_->mean << "deviation" << impl_->deviation;
    const auto write = [&](const std::string& name, const cv::Algorithm& model) {
      out << name << "{";
      model.write(out);
      out << "}";
    };
    write("forest", *impl_->forest);
    write("svm", *impl_->svm);
    write("tree", *impl_->tree);
    for (int c = 0; c < impl_->ways; ++c) write(fmt::format("boost{}", c), *impl_->boost[static_cast<std::size_t>(c)]);
    return std::string(out.releaseAndGetString());
  });
}

std::shared_ptr<const Ensemble> Ensemble::load(const std::string& text, const std::string& source) {
  return with_opencv(source + ": the classifiers of emcnet cannot be read", [&] {
    const cv::FileStorage in(text, cv::FileStorage::READ | cv::FileStorage::MEMORY);
    IL_CHECK(in.isOpened() && static_cast<std::string>(in["version"]) == kVersion,
             "{}: the classifiers of emcnet are of another version or damaged; train the system again", source);
    auto impl = std::make_unique<Impl>();
    impl->ways = static_cast<int>(in["ways"]);
    in["mean"] >> impl->mean;
    in["deviation"] >> impl->deviation;
    IL_CHECK(impl->ways >= 2 && impl->mean.cols > 0 && impl->mean.cols == impl->deviation.cols,
             "{}: the classifiers of emcnet are damaged; train the system again", source);
    const auto read = [&](const std::string& name, const auto& model) {
      IL_CHECK(!in[name].empty(), "{}: no '{}' among the classifiers of emcnet; train the system again", source, name);
      model->read(in[name]);
      return model;
    };
    impl->forest = read("forest", RTrees::create());
    impl->svm = read("svm", SVM::create());
    impl->tree = read("tree", DTrees::create());
    for (int c = 0; c < impl->ways; ++c) impl->boost.push_back(read(fmt::format("boost{}", c), Boost::create()));
    return std::shared_ptr<const Ensemble>(new Ensemble(std::move(impl)));
  });
}

std::vector<std::int32_t> Ensemble::votes(const Tensor& features) const {
  return with_opencv("emcnet: asking the classifiers", [&] {
    const cv::Mat x = impl_->standardised(features);
    std::vector<std::int32_t> votes;
    for (int i = 0; i < x.rows; ++i) {
      const cv::Mat row = x.row(i);
      votes.push_back(static_cast<std::int32_t>(std::lround(impl_->forest->predict(row))));
      votes.push_back(static_cast<std::int32_t>(std::lround(impl_->svm->predict(row))));
      votes.push_back(static_cast<std::int32_t>(std::lround(impl_->tree->predict(row))));
      votes.push_back(impl_->boosted_class(row));
    }
    return votes;
  });
}

Tensor Ensemble::probabilities(const Tensor& features) const {
  const std::vector<std::int32_t> cast = votes(features);
  return with_opencv("emcnet: asking the classifiers", [&] {
    const std::vector<double> shares = impl_->tree_shares(impl_->standardised(features));
    Tensor out = Tensor::empty_on_host({features.shape()[0], impl_->ways}, DType::kF32);
    const auto p = out.mutable_data<float>();
    const auto ways = static_cast<std::size_t>(impl_->ways);
    for (std::size_t i = 0; i < p.size() / ways; ++i)
      for (std::size_t c = 0; c < ways; ++c) {
        const auto begin = cast.begin() + static_cast<std::ptrdiff_t>(i * kVoters);
        const auto count = static_cast<double>(std::count(begin, begin + kVoters, static_cast<std::int32_t>(c)));
        p[i * ways + c] = static_cast<float>((count + 0.5 * shares[i * ways + c]) / (kVoters + 0.5));
      }
    return out;
  });
}

}  // namespace innerloop::meta

#else  // a build without OpenCV: programs that travel

namespace innerloop::meta {
namespace {

[[noreturn]] void no_opencv() {
  fail(
      "emcnet: this innerloop was built without OpenCV's ml module, whose classifiers the system needs; build it "
      "without IL_STATIC");
}

}  // namespace

struct Ensemble::Impl {};
Ensemble::Ensemble(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ensemble::~Ensemble() = default;
std::shared_ptr<const Ensemble> Ensemble::fit(const Tensor&, const std::vector<std::int32_t>&, std::int64_t) {
  no_opencv();
}
std::shared_ptr<const Ensemble> Ensemble::load(const std::string&, const std::string&) { no_opencv(); }
std::string Ensemble::save() const { no_opencv(); }
std::vector<std::int32_t> Ensemble::votes(const Tensor&) const { no_opencv(); }
Tensor Ensemble::probabilities(const Tensor&) const { no_opencv(); }

}  // namespace innerloop::meta

#endif
