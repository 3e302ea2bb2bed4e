#include "meta/reproduce/sized_images.h"

#include "tensor/error.h"

namespace innerloop::meta::reproduce {

void SizedImages::add(io::ImageSet same) {
  IL_CHECK(
      same.files == base_.files && same.classes == base_.classes && same.labels == base_.labels &&
          same.groups == base_.groups,
      "reproduce: {} holds other images when it is read at {}x{} than at {}x{} ({} against {}); leave it unchanged "
      "while it is read",
      base_.name, same.height, same.width, base_.height, base_.width, same.count(), base_.count());
  others_.insert_or_assign(same.height, std::move(same));
}

std::int64_t SizedImages::side_of(const Contestant& contestant) const {
  const auto own = sizes_.find(contestant.key);
  return own == sizes_.end() ? base_.height : own->second;
}

const io::ImageSet& SizedImages::of(const Contestant& contestant) const {
  const std::int64_t side = side_of(contestant);
  if (side == base_.height) return base_;
  const auto found = others_.find(side);
  IL_CHECK(found != others_.end(), "reproduce: {} sees images of {}x{}, which were not read", contestant.title, side,
           side);
  return found->second;
}

}  // namespace innerloop::meta::reproduce
