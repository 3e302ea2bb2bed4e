#include "io/image.h"

#include <gtest/gtest.h>
#include <stb_image_write.h>

#include <cmath>

#include "data_fixtures.h"
#include "io/crc32.h"
#include "raw_png.h"

namespace innerloop::io {
namespace {

Image ramp(std::int64_t height, std::int64_t width, std::int64_t channels) {
  Image image{height, width, channels, {}};
  for (std::int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  return image;
}

void append(void* user, void* data, int size) {
  static_cast<std::string*>(user)->append(static_cast<char*>(data), static_cast<std::size_t>(size));
}

std::string jpeg_of(const Image& image) {
  std::string out;
  stbi_write_jpg_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height),
                         static_cast<int>(image.channels), image.pixels.data(), 90);
  return out;
}
std::string bmp_of(const Image& image) {
  std::string out;
  stbi_write_bmp_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height),
                         static_cast<int>(image.channels), image.pixels.data());
  return out;
}
std::string tga_of(const Image& image) {
  std::string out;
  stbi_write_tga_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height),
                         static_cast<int>(image.channels), image.pixels.data());
  return out;
}
std::string png_of(const Image& image) {
  const std::vector<std::uint8_t> png = encode_png(image);
  return {png.begin(), png.end()};
}

std::string digits_of(const Image& image) {
  std::string out;
  for (const std::uint8_t p : image.pixels) out += (out.size() % 5 == 1 ? " # a comment\n" : " ") + std::to_string(p);
  return out;
}

Image decode(const std::string& bytes, const std::string& name, int channels) {
  return decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, name, channels);
}

TEST(Decode, EveryFormatGivesItsPixelsBack) {
  const Image grey = ramp(5, 7, 1), colour = ramp(6, 4, 3);
  EXPECT_EQ(decode(png_of(grey), "a.png", 1).pixels, grey.pixels);
  EXPECT_EQ(decode(png_of(colour), "a.png", 3).pixels, colour.pixels);
  EXPECT_EQ(decode(bmp_of(colour), "a.bmp", 3).pixels, colour.pixels);
  EXPECT_EQ(decode(tga_of(colour), "a.TGA", 3).pixels, colour.pixels);
  EXPECT_EQ(decode(tga_of(grey), "a.tga", 1).pixels, grey.pixels);
  const std::string pgm = "P5\n# a comment\n7 5\n255\n" + std::string(grey.pixels.begin(), grey.pixels.end());
  EXPECT_EQ(decode(pgm, "a.pgm", 1).pixels, grey.pixels);
  const std::string ppm = "P6 4 6 255 " + std::string(colour.pixels.begin(), colour.pixels.end());
  EXPECT_EQ(decode(ppm, "a.ppm", 3).pixels, colour.pixels);
  EXPECT_EQ(decode("P2\n# a comment\n7 5\n255\n" + digits_of(grey), "a.pgm", 1).pixels, grey.pixels);
  EXPECT_EQ(decode("P3 4 6 255\n" + digits_of(colour), "a.ppm", 3).pixels, colour.pixels);

  Image smooth{16, 16, 1, {}};
  for (int i = 0; i < 256; ++i) smooth.pixels.push_back(static_cast<std::uint8_t>(i / 16 * 8 + i % 16));
  const Image jpeg = decode(jpeg_of(smooth), "a.jpg", 1);
  ASSERT_EQ(jpeg.pixels.size(), 256u);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_NEAR(jpeg.pixels[i], smooth.pixels[i], 4);
}

TEST(Decode, GreyAndColourAsAsked) {
  const Image colour{1, 2, 3, {255, 0, 0, 10, 20, 30}};
  const std::vector<std::uint8_t> grey = {76, static_cast<std::uint8_t>((770 + 3000 + 870) >> 8)};
  EXPECT_EQ(decode(png_of(colour), "a.png", 1).pixels, grey);
  EXPECT_EQ(convert_channels(colour, 1).pixels, grey);
  const Image one{1, 1, 1, {9}};
  EXPECT_EQ(decode(png_of(one), "a.png", 3).pixels, (std::vector<std::uint8_t>{9, 9, 9}));
  EXPECT_SAYS(decode(png_of(one), "a.png", 2), "a.png: 2 channels");
}

TEST(Decode, OneBitAndSixteenBitPng) {
  // 10 pixels a row, one bit each, as Omniglot stores its strokes: 0b1011001110 and its complement.
  const std::string bits = std::string("\0\xB3\x80", 3) + std::string("\0\x4C\x7F", 3);
  const Image one_bit = decode(raw_png(10, 2, 1, 0, bits), "a.png", 1);
  const std::vector<std::uint8_t> expected = {255, 0,   255, 255, 0,   0,   255, 255, 255, 0,
                                              0,   255, 0,   0,   255, 255, 0,   0,   0,   255};
  EXPECT_EQ(one_bit.pixels, expected);
  const std::string samples("\0\x12\x34\xFE\xFF\x00\xFF", 7);
  const Image deep = decode(raw_png(3, 1, 16, 0, samples), "a.png", 1);
  EXPECT_EQ(deep.pixels, (std::vector<std::uint8_t>{17, 255, 0}));  // (0x1234 - 0xFF) / (0xFEFF - 0xFF) * 255
  EXPECT_EQ(deep.stored_bits, 16);
  EXPECT_EQ(one_bit.stored_bits, 8);
  const Image wide = decode("P2 3 1 1000\n0 500 1000", "a.pgm", 1);
  EXPECT_EQ(wide.pixels, (std::vector<std::uint8_t>{0, 128, 255}));
  EXPECT_EQ(wide.stored_bits, 16);
  EXPECT_EQ(decode(std::string("P5 2 1 65535\n\x80\x00\xFF\xFF", 17), "a.pgm", 1).pixels,
            (std::vector<std::uint8_t>{128, 255}));
}

TEST(Decode, ATruncatedFileIsAnErrorWhereverItIsCut) {
  const Image image = ramp(40, 40, 3);
  const std::pair<const char*, std::string> files[] = {
      {"a.jpg", jpeg_of(image)},
      {"a.png", png_of(image)},
      {"a.bmp", bmp_of(image)},
      {"a.tga", tga_of(image)},
      {"a.ppm", "P6\n40 40\n255\n" + std::string(image.pixels.begin(), image.pixels.end())}};
  for (const auto& [name, bytes] : files) {
    ASSERT_EQ(decode(bytes, name, 3).height, 40) << name;
    for (std::size_t n = 0; n < bytes.size(); n += n < 64 ? 1 : 29) {
      // A TGA written here ends in an optional footer that no picture needs.
      if (std::string_view(name) == "a.tga" && n + 1 >= bytes.size()) continue;
      EXPECT_THROW(decode(bytes.substr(0, n), name, 3), Error) << name << " cut to " << n << " of " << bytes.size();
    }
  }
  const std::string jpeg = files[0].second;
  EXPECT_SAYS(decode(jpeg.substr(0, jpeg.size() - 2), "half.jpg", 1), "half.jpg: truncated");
  EXPECT_SAYS(decode(jpeg.substr(0, jpeg.size() / 2), "half.jpg", 1), "half.jpg: truncated");
}

TEST(Decode, RefusesWhatIsNoImage) {
  EXPECT_SAYS(decode("hello, I am a text and no picture", "a.png", 1), "a.png: not a PNG");
  EXPECT_SAYS(decode("", "a.png", 1), "a.png: the file is empty");
  EXPECT_SAYS(decode("hello, I am a text and no picture", "a.tga", 1), "a.tga");
  EXPECT_SAYS(decode("P5 x y 255\n", "a.pgm", 1), "lacks the width");
  EXPECT_SAYS(decode("P5 99999999999999999999 1 255\n", "a.pgm", 1), "absurd");
  EXPECT_SAYS(decode("P5 1 1 70000\n..", "a.pgm", 1), "maximum value 70000");
  EXPECT_SAYS(decode("P2 3 1 255\n1 2 x", "a.pgm", 1), "a.pgm: corrupt: sample 2 is no number");
  EXPECT_SAYS(decode("P2 3 1 255\n1 2 -3", "a.pgm", 1), "sample 2 is no number");
  EXPECT_SAYS(decode("P2 2 1 255\n1 99999999999999999999256", "a.pgm", 1), "sample 1 is more than the maximum value, 255");
  EXPECT_SAYS(decode("P2 3 1 255\n100 200", "a.pgm", 1), "truncated: 3x1 needs 3 samples, 2 are there");
  EXPECT_SAYS(decode("P3 9000 9000 255\n1 2 3", "a.ppm", 1), "truncated: 9000x9000 needs");
  const TempFolder folder;
  EXPECT_SAYS(decode_image(folder.path("gone.png"), 1), "gone.png: no such file");
}

TEST(Decode, RefusesImpossibleSizesBeforeItDecodes) {
  EXPECT_SAYS(decode(raw_png(0, 0, 8, 0, ""), "zero.png", 1), "zero.png: 0x0 pixels");
  EXPECT_SAYS(decode(raw_png(30000, 2, 8, 0, ""), "wide.png", 1), "wide.png: 30000x2 pixels, at most 20000");
  EXPECT_SAYS(decode(raw_png(0xFFFFFFFF, 0xFFFFFFFF, 8, 0, ""), "huge.png", 1), "huge.png: 4294967295x4294967295");
  EXPECT_SAYS(decode(raw_png(19000, 19000, 8, 6, ""), "many.png", 1), "at most 100 million");
  EXPECT_SAYS(decode("P6 20000 20000 255\n", "many.ppm", 1), "at most 100 million");
  EXPECT_SAYS(decode("P5 0 5 255\n", "zero.pgm", 1), "0x5 pixels");
  std::string jpeg = jpeg_of(ramp(8, 8, 1));
  const std::size_t frame = jpeg.find(std::string("\xFF\xC0", 2));
  ASSERT_NE(frame, std::string::npos);
  std::string large = jpeg;
  large.replace(frame + 5, 4, "\x75\x30\x75\x30");  // 30000 x 30000
  EXPECT_SAYS(decode(large, "large.jpg", 1), "large.jpg: 30000x30000 pixels");
  jpeg.replace(frame + 5, 4, std::string(4, '\0'));
  EXPECT_SAYS(decode(jpeg, "zero.jpg", 1), "zero.jpg");
}

TEST(Decode, RefusesAHuffmanTableOfTooManyCodes) {
  std::string jpeg = jpeg_of(ramp(16, 16, 1));
  const std::size_t table = jpeg.find(std::string("\xFF\xC4", 2));
  ASSERT_NE(table, std::string::npos);
  // All 16 counts at 255: a decoder that adds them up writes 4080 lengths into an array of 257.
  jpeg.replace(table + 5, 16, std::string(16, '\xFF'));
  EXPECT_SAYS(decode(jpeg, "table.jpg", 1), "table.jpg: corrupt: a Huffman table of 4080 codes");
}

TEST(Decode, FlippedBytesNeverCrash) {
  const Image image = ramp(24, 24, 3);
  for (const auto& [name, bytes] : {std::pair<const char*, std::string>{"a.jpg", jpeg_of(image)},
                                    {"a.png", png_of(image)},
                                    {"a.bmp", bmp_of(image)}}) {
    int refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (0x11 << at % 4));
      const std::string text = text_of([&] {
        const Image decoded = decode(flipped, name, 3);
        EXPECT_EQ(decoded.pixels.size(), static_cast<std::size_t>(decoded.height * decoded.width * 3));
      });
      refused += !text.empty();
    }
    EXPECT_GT(refused, 5) << name;
    if (std::string_view(name) == "a.png") {  // it has a sum of every byte behind its mark
      EXPECT_EQ(refused, static_cast<int>(bytes.size()));
    }
  }
}

TEST(Decode, NamesTheDamagedChunkOfAPng) {
  const Image image = ramp(8, 8, 1);
  const std::string png = png_of(image);
  const auto flip = [&](std::string_view type, std::size_t from) {
    std::string flipped = png;
    char& c = flipped[png.find(type) + from];
    c = static_cast<char>(c ^ 4);
    return flipped;
  };
  EXPECT_SAYS(decode(flip("IDAT", 12), "x.png", 1), "x.png: damaged: the checksum of its IDAT chunk does not match");
  EXPECT_SAYS(decode(flip("IHDR", 16), "x.png", 1), "the checksum of its IHDR chunk does not match");
  EXPECT_SAYS(decode(flip("IEND", 7), "x.png", 1), "the checksum of its IEND chunk does not match");
  std::string unreadable = png;
  unreadable[png.find("IDAT")] = '\n';
  EXPECT_SAYS(decode(unreadable, "x.png", 1), "the checksum of a chunk does not match");
  // What stands behind the end chunk is none of the picture.
  EXPECT_EQ(decode(png + "trailing bytes, more than a chunk has", "x.png", 1).pixels, image.pixels);
  // A chunk that no decoder asks for, with the sum that it has to have.
  std::string text = png;
  text.insert(png.find("IDAT") - 4, chunk("tEXt", "Comment"));
  EXPECT_EQ(decode(text, "x.png", 1).pixels, image.pixels);
}

TEST(Crc32, IsTheOneOfPng) {
  EXPECT_EQ(Crc32().add("123456789").value(), 0xCBF43926u);
  EXPECT_EQ(Crc32().value(), 0u);
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += static_cast<char>(i * 89);
  for (std::size_t first = 0; first < bytes.size(); ++first)
    EXPECT_EQ(Crc32().add(bytes.substr(0, first)).add(bytes.substr(first)).value(), crc32(bytes)) << first;
}

TEST(Resize, AConstantStaysConstantAndTheSameSizeIsTheSameImage) {
  for (const std::int64_t to : {1, 2, 28, 84, 105, 224, 301}) {
    const Image flat{105, 84, 3, std::vector<std::uint8_t>(105 * 84 * 3, 255)};
    const Image out = resize_image(flat, to, to);
    EXPECT_EQ(out.pixels, std::vector<std::uint8_t>(static_cast<std::size_t>(to * to * 3), 255)) << to;
  }
  const Image image = ramp(9, 11, 3);
  EXPECT_EQ(resize_image(image, 9, 11).pixels, image.pixels);
  EXPECT_SAYS(resize_image(image, 0, 3), "resize: to 3x0");
}

/// The definition in double: area averages where an axis shrinks, linear between centres where it grows.
double axis_value(const std::vector<double>& row, double from, double to, double i) {
  double sum = 0;
  if (to < from) {
    const double begin = i * from / to, end = (i + 1) * from / to;
    for (std::size_t s = 0; s < row.size(); ++s) {
      const double at = static_cast<double>(s);
      sum += std::max(0.0, std::min(end, at + 1) - std::max(begin, at)) * row[s];
    }
    return sum / (end - begin);
  }
  const double centre = std::clamp((i + 0.5) * from / to - 0.5, 0.0, from - 1), low = std::floor(centre);
  const std::size_t a = static_cast<std::size_t>(low), b = std::min(a + 1, row.size() - 1);
  return row[a] + (centre - low) * (row[b] - row[a]);
}

TEST(Resize, FollowsItsDefinition) {
  const std::pair<std::int64_t, std::int64_t> cases[] = {{5, 31}, {31, 5}, {7, 7}, {40, 40}, {13, 12}, {1, 1}};
  const Image image = ramp(13, 17, 1);
  for (const auto& [height, width] : cases) {
    const Image out = resize_image(image, height, width);
    ASSERT_EQ(out.pixels.size(), static_cast<std::size_t>(height * width));
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        std::vector<double> column;
        for (std::size_t s = 0; s < 13; ++s) {
          const std::vector<double> row(image.pixels.begin() + static_cast<std::ptrdiff_t>(17 * s),
                                        image.pixels.begin() + static_cast<std::ptrdiff_t>(17 * s + 17));
          column.push_back(axis_value(row, 17, static_cast<double>(width), static_cast<double>(x)));
        }
        const double expected = axis_value(column, 13, static_cast<double>(height), static_cast<double>(y));
        EXPECT_NEAR(out.pixels[static_cast<std::size_t>(y * width + x)], expected, 0.52) << height << "x" << width;
      }
  }
}

TEST(Resize, KeepsChannelsApart) {
  Image image{4, 4, 3, {}};
  for (int i = 0; i < 16; ++i) image.pixels.insert(image.pixels.end(), {10, 100, 200});
  const Image out = resize_image(image, 3, 7);
  for (std::size_t i = 0; i < out.pixels.size(); i += 3) {
    EXPECT_EQ(out.pixels[i], 10);
    EXPECT_EQ(out.pixels[i + 2], 200);
  }
}

TEST(Image, InvertsAndKnowsItsExtensions) {
  Image image{1, 3, 1, {0, 100, 255}};
  invert_image(image);
  EXPECT_EQ(image.pixels, (std::vector<std::uint8_t>{255, 155, 0}));
  EXPECT_TRUE(has_image_extension("a/b.JPeG"));
  EXPECT_FALSE(has_image_extension("labels.csv"));
  EXPECT_FALSE(has_image_extension("a.png/readme"));
  EXPECT_SAYS(encode_png(Image{}), "png: an image of 0x0");
}

}  // namespace
}  // namespace innerloop::io
