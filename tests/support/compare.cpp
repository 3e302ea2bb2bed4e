#include "support/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace innerloop::test {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

Array::Array(const Tensor& t) : Array(t.shape()) {
  for (std::int64_t i = 0; i < t.numel(); ++i) v[static_cast<std::size_t>(i)] = t.item(i);
}

namespace {

template <class F>
double sum_over(const std::vector<Tensor>& a, const std::vector<Tensor>& b, F term) {
  IL_CHECK(a.size() == b.size(), "dot: {} tensors and {}", a.size(), b.size());
  double total = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!a[k].defined() || !b[k].defined()) continue;
    IL_CHECK(a[k].shape() == b[k].shape(), "dot: shapes {} and {}", a[k].shape().to_string(), b[k].shape().to_string());
    for (std::int64_t i = 0; i < a[k].numel(); ++i) total += term(a[k].item(i), b[k].item(i));
  }
  return total;
}

}  // namespace

double dot(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return sum_over(a, b, [](double x, double y) { return x * y; });
}

double dot_magnitude(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return sum_over(a, b, [](double x, double y) { return std::abs(x * y); });
}

std::vector<Tensor> shifted(const std::vector<Tensor>& x, double h, const std::vector<Tensor>& v) {
  std::vector<Tensor> out;
  for (std::size_t k = 0; k < x.size(); ++k) {
    Tensor t = x[k].clone();
    const auto to = t.mutable_data<double>();
    const auto along = v[k].data<double>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += h * along[i];
    out.push_back(std::move(t));
  }
  return out;
}

std::vector<Tensor> cast(const std::vector<Tensor>& x, DType dtype) {
  std::vector<Tensor> out;
  for (const Tensor& t : x) out.push_back(t.defined() ? t.to(dtype) : t);
  return out;
}

AssertionResult near(const Tensor& a, const Array& b, double tolerance, double floor) {
  if (!(a.shape() == b.shape))
    return AssertionFailure() << "shapes " << a.shape().to_string() << " and " << b.shape.to_string();
  double scale = floor, worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < b.v.size(); ++i) {
    const double x = a.item(static_cast<std::int64_t>(i)), y = b.v[i];
    scale = std::max({scale, std::abs(x), std::abs(y)});
    const double error = std::abs(x - y);
    if (!(error <= worst)) worst = error, at = i;  // a NaN is the worst
    if (std::isnan(worst)) break;
  }
  if (worst <= tolerance * scale) return AssertionSuccess();
  return AssertionFailure() << "element " << at << " of " << b.shape.to_string() << ": "
                            << a.item(static_cast<std::int64_t>(at)) << " against " << b.v[at] << ", error " << worst
                            << " at scale " << scale << ", tolerance " << tolerance;
}

AssertionResult near(const Tensor& a, const Tensor& b, double tolerance, double floor) {
  return near(a, Array(b), tolerance, floor);
}

AssertionResult near(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance, double floor) {
  if (a.size() != b.size()) return AssertionFailure() << a.size() << " tensors and " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (AssertionResult r = near(a[i], b[i], tolerance, floor); !r) return r << " (tensor " << i << ")";
  return AssertionSuccess();
}

AssertionResult same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) return AssertionFailure() << a.size() << " tensors and " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(a[i].shape() == b[i].shape()) || a[i].dtype() != b[i].dtype())
      return AssertionFailure() << "tensor " << i << ": shapes or dtypes differ";
    const Tensor x = a[i].to_host(), y = b[i].to_host();
    if (x.bytes() != 0 && std::memcmp(x.view().data, y.view().data, x.bytes()) != 0)
      return AssertionFailure() << "tensor " << i << " of shape " << a[i].shape().to_string() << " differs in its bits";
  }
  return AssertionSuccess();
}

AssertionResult throws_with(const std::function<void()>& call, const std::vector<std::string>& words) {
  try {
    call();
  } catch (const Error& e) {
    const std::string text = e.what();
    if (text.find('\n') != std::string::npos) return AssertionFailure() << "more than one line: " << text;
    for (const std::string& word : words)
      if (text.find(word) == std::string::npos) return AssertionFailure() << "no '" << word << "' in: " << text;
    return AssertionSuccess();
  }
  return AssertionFailure() << "nothing was thrown";
}

double five_point(const std::function<double(double)>& f, double h) {
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

}  // namespace innerloop::test
