#include "meta/class_index.h"

#include "kernels/sample.h"

namespace innerloop::meta {

Tensor ClassIndex::offsets_tensor() const {
  std::vector<std::int64_t> offsets{0};
  for (const auto& m : members) offsets.push_back(offsets.back() + static_cast<std::int64_t>(m.size()));
  return Tensor::from({static_cast<std::int64_t>(offsets.size())}, offsets);
}

Tensor ClassIndex::members_tensor() const {
  std::vector<std::int64_t> all;
  for (const auto& m : members) all.insert(all.end(), m.begin(), m.end());
  return Tensor::from({static_cast<std::int64_t>(all.size())}, all);
}

ClassIndex class_index(const io::ImageSet& set) {
  ClassIndex index;
  auto by_class = set.by_class();
  for (std::size_t c = 0; c < by_class.size(); ++c) {
    if (by_class[c].empty()) continue;
    index.classes.push_back(static_cast<std::int32_t>(c));
    index.members.push_back(std::move(by_class[c]));
  }
  return index;
}

bool is_unlabelled(const io::ImageSet& set) { return set.classes.size() == 1 && set.classes[0].empty(); }

std::string describe(const io::ImageSet& set) { return set.name.empty() ? "the data" : "data set '" + set.name + "'"; }

Tensor gather_images(const Tensor& pixels, const Tensor& index) {
  const Shape &p = pixels.shape(), &i = index.shape();
  Tensor out = Tensor::empty({i[0], i[1], p[1], p[2], p[3]}, DType::kF32);
  kernels::GatherAugment gather;
  gather.images = pixels.view();
  gather.index = index.view();
  gather.out = out.mutable_view();
  kernels::run(gather, Context::current());
  return out;
}

}  // namespace innerloop::meta
