// What evaluates the two graphs of an exported generator; backend_libtorch.cpp and backend_onnxruntime.cpp do it.
// Arrays are flat, the event is the first axis. metadata.json says what each of them holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct Particles {
  std::vector<std::int64_t> code;  // (event, particle): PDG codes, 0 for padding
  std::vector<double> momentum;    // (event, particle, 4): E, px, py, pz in GeV
  std::vector<char> solved;        // (event): whether energy and momentum are conserved
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Classes (event, particle) for conditions (event, 4) and uniform numbers (event, 2 + kinds); -1 is padding.
  virtual std::vector<std::int64_t> kinds(std::int64_t events, std::vector<double>& condition,
                                          std::vector<double>& uniform) = 0;

  // Particles for classes, coins (event, particle) and normal numbers (event, particle, 3).
  virtual Particles momenta(std::int64_t events, std::vector<double>& condition, std::vector<std::int64_t>& kind,
                            std::vector<double>& coin, std::vector<float>& normal) = 0;
};

std::unique_ptr<Backend> make_backend(const std::string& directory);
