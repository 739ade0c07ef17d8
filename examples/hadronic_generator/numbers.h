// The random numbers of cloudchamber.export.numbers: SplitMix64 as a counter. The same seed gives the same events as
// cloudchamber.export.onnx_sampler in Python.
#pragma once

#include <cmath>
#include <cstdint>

inline std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// The numbers of one attempt at one event.
class Numbers {
 public:
  Numbers(std::uint64_t seed, std::uint64_t event, std::uint64_t attempt)
      : start_(mix(mix(mix(seed) + event) + attempt)) {}

  // Number k, from 0 to below 1.
  double uniform(std::uint64_t k) const {
    return static_cast<double>(mix(start_ + (k + 1) * 0x9E3779B97F4A7C15ULL) >> 11) * 0x1p-53;
  }

  // A normal number from numbers k and k + 1.
  float normal(std::uint64_t k) const {
    constexpr double two_pi = 6.283185307179586;
    return static_cast<float>(std::sqrt(-2 * std::log1p(-uniform(k))) * std::cos(two_pi * uniform(k + 1)));
  }

 private:
  std::uint64_t start_;
};
