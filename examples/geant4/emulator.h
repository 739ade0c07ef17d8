// Collisions of nuclei from an emulator that `cloudchamber export` wrote: hot nuclei and nucleons in the laboratory,
// the target at rest, the projectile along z. MeV, MeV/c, fm, mb. No Geant4 here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend.h"

struct System {
  int A_projectile, Z_projectile, A_target, Z_target;
  bool operator==(const System& other) const {
    return A_projectile == other.A_projectile && Z_projectile == other.Z_projectile && A_target == other.A_target &&
           Z_target == other.Z_target;
  }
};

struct Nucleus {
  int A, Z;
  double x, y, z;             // momentum
  double excitation, energy;  // above the ground state; with the rest mass
};

struct Collision {
  double impact_parameter;
  std::vector<Nucleus> nuclei;
};

// Reaction cross section of S. Kox et al., Phys. Rev. C 35 (1987) 1678, from 4He on; 0 below the barrier.
double kox(const System& system, double energy);

class Emulator {
 public:
  explicit Emulator(const std::string& directory);

  double lowest() const { return energies_.first; }  // MeV per nucleon, of the training
  double highest() const { return energies_.second; }
  const std::vector<System>& systems() const { return systems_; }
  bool knows(const System& system) const;  // whether the training had it
  double mass(int A, int Z) const;         // of a nucleus in its ground state, measured or estimated

  // b_max of b = b_max sqrt(u): 1.05 sqrt(sigma / pi), but not beyond the training.
  double largest_impact_parameter(const System& system, double energy) const;

  // Events first to first + events of a seed, turned about z by random angles. With impact_parameter >= 0 all have that
  // one, else it is drawn. Throws std::runtime_error for what was not trained.
  std::vector<Collision> collide(const System& system, double energy, std::uint64_t seed, std::uint64_t first,
                                 std::size_t events, double impact_parameter = -1) const;

  // Whether an event is its two nuclei as they came: each with less excitation than its first excited state has.
  bool untouched(const System& system, const Collision& collision) const;

 private:
  void to_laboratory(const System& system, double energy, double angle, Collision& collision) const;

  std::unique_ptr<Backend> backend_;
  std::size_t uniforms_ = 0;
  std::pair<double, double> energies_{0, 0}, impact_parameters_{0, 0};
  std::vector<System> systems_;
  std::map<std::pair<int, int>, double> masses_;
};
