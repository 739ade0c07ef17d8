// Collisions of nuclei from an emulator that `cloudchamber export` wrote, without Python and without Geant4.
//
//     collide DIRECTORY A Z A Z ENERGY EVENTS SEED OUTPUT [B]
//
// A and Z of projectile and target; ENERGY is kinetic, in MeV per nucleon; B is an impact parameter in fm (without it,
// impact parameters are those of reactions). A line of OUTPUT is an event: the impact parameter, then A, Z, px, py, pz,
// the excitation energy and the total energy of every hot nucleus and nucleon, in the laboratory, in MeV.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "emulator.h"

namespace {

constexpr std::size_t batch = 256;  // events that go through the graphs at once

int run(const std::vector<std::string>& words) {
  const Emulator emulator(words[0]);
  const System system{std::stoi(words[1]), std::stoi(words[2]), std::stoi(words[3]), std::stoi(words[4])};
  const double energy = std::stod(words[5]);
  const std::uint64_t events = std::stoull(words[6]), seed = std::stoull(words[7]);
  const double impact_parameter = words.size() == 10 ? std::stod(words[9]) : -1;
  if (!emulator.knows(system)) {
    std::string known;
    for (const auto& one : emulator.systems())
      known += " " + std::to_string(one.A_projectile) + " " + std::to_string(one.Z_projectile) + " " +
               std::to_string(one.A_target) + " " + std::to_string(one.Z_target) + ";";
    throw std::runtime_error("these nuclei were not trained; known A Z A Z:" + known);
  }
  std::FILE* output = std::fopen(words[8].c_str(), "w");
  if (output == nullptr) throw std::runtime_error("cannot write " + words[8]);
  std::fprintf(output, "# cross section %.17g mb, b < %.17g fm; fm, MeV: b [A Z px py pz E* E]...\n",
               kox(system, energy), emulator.largest_impact_parameter(system, energy));
  for (std::uint64_t first = 0; first < events; first += batch) {
    const auto number = static_cast<std::size_t>(std::min<std::uint64_t>(batch, events - first));
    for (const auto& event : emulator.collide(system, energy, seed, first, number, impact_parameter)) {
      std::fprintf(output, "%.17g", event.impact_parameter);
      for (const auto& one : event.nuclei)
        std::fprintf(output, " %d %d %.17g %.17g %.17g %.17g %.17g", one.A, one.Z, one.x, one.y, one.z, one.excitation,
                     one.energy);
      std::fprintf(output, "\n");
    }
  }
  if (std::fclose(output) != 0) throw std::runtime_error("cannot write " + words[8]);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() != 9 && words.size() != 10) {
    std::cerr << "usage: collide DIRECTORY A Z A Z ENERGY EVENTS SEED OUTPUT [B]\n";
    return 2;
  }
  try {
    return run(words);
  } catch (const std::exception& error) {
    std::cerr << "collide: " << error.what() << "\n";
    return 1;
  }
}
