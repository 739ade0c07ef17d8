#include "emulator.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "../hadronic_generator/numbers.h"

namespace {

constexpr double pi = 3.141592653589793;
constexpr double envelope = 1.05;         // as in Geant4's models of quantum molecular dynamics
constexpr double quiet = 2.0;             // MeV: no nucleus of the training has an excited state below
constexpr std::uint64_t tries = 50;       // attempts at an event
constexpr std::uint64_t same_nuclei = 3;  // attempts with the nuclei of the first

// Kinetic energy in the centre of mass, masses A u.
double energy_in_cm(double one, double two, double energy) {
  constexpr double unit = 931.494;
  const double total = unit * (one + two), gain = 2 * one * energy * unit * two;
  return gain / (std::sqrt(total * total + gain) + total);
}

}  // namespace

double kox(const System& system, double energy) {
  double a_p = system.A_projectile, z_p = system.Z_projectile, a_t = system.A_target, z_t = system.Z_target;
  if (std::pair(a_p, z_p) > std::pair(a_t, z_t)) {  // the paper's target is the heavier one
    std::swap(a_p, a_t);
    std::swap(z_p, z_t);
  }
  const double one = std::cbrt(a_p), two = std::cbrt(a_t), size = one + two;
  const double barrier = 1.44 * z_p * z_t / (1.3 * size);
  const double excess = 5 * (a_t - 2 * z_t) * z_p / (a_p * a_t);
  const double x = std::log10(energy), kink = 2 - 10 / std::pow(1.5, 5);
  const double transparency = x > 1.5 ? 2 - 10 / std::pow(x, 5) : kink * std::pow(x / 1.5, 3);
  const double radius = 1.1 * (size + 1.85 * one * two / size - transparency) + excess;
  return 10 * pi * radius * radius * std::max(1 - barrier / energy_in_cm(a_p, a_t, energy), 0.0);
}

Emulator::Emulator(const std::string& directory) {
  std::ifstream file(directory + "/metadata.txt");
  if (!file) throw std::runtime_error(directory + " is no exported emulator: `cloudchamber export RUN` makes one");
  std::string line, word;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    words >> word;
    if (word == "uniforms") words >> uniforms_;
    if (word == "energies") words >> energies_.first >> energies_.second;
    if (word == "impact_parameters") words >> impact_parameters_.first >> impact_parameters_.second;
    if (word == "system") {
      System one{};
      words >> one.A_projectile >> one.Z_projectile >> one.A_target >> one.Z_target;
      systems_.push_back(one);
    }
    if (word == "mass") {
      int A = 0, Z = 0;
      words >> A >> Z;
      words >> masses_[{A, Z}];
    }
    if (!words) throw std::runtime_error(directory + "/metadata.txt: cannot read the line '" + line + "'");
  }
  backend_ = make_backend(directory);
}

bool Emulator::knows(const System& system) const {
  return std::find(systems_.begin(), systems_.end(), system) != systems_.end();
}

double Emulator::mass(int A, int Z) const {
  const auto found = masses_.find({A, Z});
  if (found == masses_.end())
    throw std::runtime_error("no mass of A = " + std::to_string(A) + ", Z = " + std::to_string(Z));
  return found->second;
}

double Emulator::largest_impact_parameter(const System& system, double energy) const {
  return std::min(envelope * std::sqrt(kox(system, energy) / (10 * pi)), impact_parameters_.second);
}

std::vector<Collision> Emulator::collide(const System& system, double energy, std::uint64_t seed, std::uint64_t first,
                                         std::size_t events, double impact_parameter) const {
  if (!knows(system)) throw std::runtime_error("these nuclei were not trained");
  if (!(energy >= energies_.first && energy <= energies_.second))
    throw std::runtime_error("energy " + std::to_string(energy) + " MeV per nucleon: the training went from " +
                             std::to_string(energies_.first) + " to " + std::to_string(energies_.second));
  if (impact_parameter > impact_parameters_.second)
    throw std::runtime_error("impact parameter " + std::to_string(impact_parameter) + " fm: the training went to " +
                             std::to_string(impact_parameters_.second));
  const double largest = largest_impact_parameter(system, energy);
  std::vector<Collision> made(events);
  std::vector<std::size_t> left(events);
  for (std::size_t row = 0; row < events; ++row) {
    left[row] = row;
    made[row].impact_parameter =
        impact_parameter >= 0 ? impact_parameter : largest * std::sqrt(Numbers(seed, first + row, 0).uniform(0));
  }
  Lists lists;
  for (std::uint64_t attempt = 0; attempt < tries && !left.empty(); ++attempt) {
    const auto rows = static_cast<std::int64_t>(left.size());
    std::vector<double> conditions, uniform;
    std::vector<float> normal;
    std::vector<Numbers> numbers;
    for (const auto row : left) {
      numbers.emplace_back(seed, first + row, attempt);
      conditions.insert(conditions.end(), {double(system.A_projectile), double(system.Z_projectile),
                                           double(system.A_target), double(system.Z_target), energy,
                                           made[row].impact_parameter});
    }
    if (attempt == 0 || attempt >= same_nuclei) {
      for (const auto& own : numbers)
        for (std::uint64_t k = 0; k < uniforms_; ++k) uniform.push_back(own.uniform(2 + k));
      lists = backend_->nuclei(rows, conditions, uniform);
    }
    const std::size_t slots = lists.A.size() / left.size();
    for (const auto& own : numbers)
      for (std::uint64_t k = 0; k < 4 * slots; ++k) normal.push_back(own.normal(2 + uniforms_ + 2 * k));
    const Motion found = backend_->momenta(rows, conditions, lists, normal);
    std::vector<std::size_t> again;
    Lists same;
    for (std::size_t row = 0; row < left.size(); ++row) {
      const std::size_t begin = row * slots, end = begin + slots;
      if (!found.solved[row]) {
        again.push_back(left[row]);
        same.A.insert(same.A.end(), lists.A.begin() + begin, lists.A.begin() + end);
        same.Z.insert(same.Z.end(), lists.Z.begin() + begin, lists.Z.begin() + end);
        continue;
      }
      auto& nuclei = made[left[row]].nuclei;
      for (std::size_t i = begin; i < end; ++i) {
        const double* p = &found.momentum[3 * i];
        if (lists.A[i] > 0)
          nuclei.push_back({int(lists.A[i]), int(lists.Z[i]), p[0], p[1], p[2], found.excitation[i], 0});
      }
      to_laboratory(system, energy, 2 * pi * Numbers(seed, first + left[row], 0).uniform(1), made[left[row]]);
    }
    left = again;
    lists = same;
  }
  if (!left.empty()) throw std::runtime_error("events that fit no energy: another condition");
  return made;
}

void Emulator::to_laboratory(const System& system, double energy, double angle, Collision& collision) const {
  const double one = mass(system.A_projectile, system.Z_projectile), two = mass(system.A_target, system.Z_target);
  const double total = one + system.A_projectile * energy;
  const double beta = std::sqrt(total * total - one * one) / (total + two), gamma = 1 / std::sqrt(1 - beta * beta);
  const double cos = std::cos(angle), sin = std::sin(angle);
  for (auto& nucleus : collision.nuclei) {
    const double rest = mass(nucleus.A, nucleus.Z) + nucleus.excitation;
    const double x = nucleus.x, y = nucleus.y, z = nucleus.z;
    const double at_rest = std::sqrt(rest * rest + x * x + y * y + z * z);
    nucleus.x = cos * x - sin * y;
    nucleus.y = sin * x + cos * y;
    nucleus.z = gamma * (z + beta * at_rest);
    nucleus.energy = gamma * (at_rest + beta * z);
  }
}

bool Emulator::untouched(const System& system, const Collision& collision) const {
  const auto& nuclei = collision.nuclei;
  if (nuclei.size() != 2 || nuclei[0].excitation >= quiet || nuclei[1].excitation >= quiet) return false;
  const auto are = [&](const Nucleus& one, const Nucleus& two) {
    return System{one.A, one.Z, two.A, two.Z} == system;
  };
  return are(nuclei[0], nuclei[1]) || are(nuclei[1], nuclei[0]);
}
