// What evaluates the two graphs of an exported emulator; backend_libtorch.cpp and backend_onnxruntime.cpp do it.
// Arrays are flat, the event is the first axis. metadata.json says what each of them holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct Lists {
  std::vector<std::int64_t> A, Z;  // (event, slot): 0 is empty
};

struct Motion {
  std::vector<double> momentum;    // (event, slot, 3): MeV/c, common rest frame
  std::vector<double> excitation;  // (event, slot): MeV
  std::vector<char> solved;        // (event): whether energy is conserved
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Nuclei for conditions (event, 6) and uniform numbers (event, uniforms).
  virtual Lists nuclei(std::int64_t events, std::vector<double>& condition, std::vector<double>& uniform) = 0;

  // Momenta and excitation energies of nuclei, from normal numbers (event, slot, 4).
  virtual Motion momenta(std::int64_t events, std::vector<double>& condition, Lists& lists,
                         std::vector<float>& normal) = 0;
};

std::unique_ptr<Backend> make_backend(const std::string& directory);
