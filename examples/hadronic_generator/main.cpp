// Hadronic interactions from a generator that `cloudchamber export` wrote, without Python.
//
//     generate DIRECTORY PROJECTILE TARGET ENERGY EVENTS SEED OUTPUT [X Y Z]
//
// ENERGY is kinetic, in GeV; X Y Z is the direction of the projectile (without it, that of the training). A line of
// OUTPUT is an event: the projectile's PDG code, direction and kinetic energy, then PDG code, px, py, pz and E of every
// particle that leaves, in GeV.
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend.h"
#include "numbers.h"

namespace {

constexpr std::size_t batch = 256;      // events that go through the graphs at once
constexpr std::uint64_t tries = 50;     // attempts at an event
constexpr std::uint64_t same_kinds = 3; // attempts with the kinds of the first

using Vector = std::array<double, 3>;

struct Generator {  // metadata.txt
  std::size_t kinds = 0;
  double lowest = 0, highest = 0;
  Vector direction{};
  struct Projectile {
    long code;
    double place;
  };
  struct Target {
    double charge, baryons;
  };
  std::map<std::string, Projectile> projectiles;
  std::map<std::string, Target> targets;
};

struct Particle {
  std::int64_t code;
  double energy, x, y, z;
};

using Event = std::vector<Particle>;

Generator read(const std::string& directory) {
  std::ifstream file(directory + "/metadata.txt");
  if (!file) throw std::runtime_error(directory + " is no exported generator: `cloudchamber export RUN` makes one");
  Generator found;
  std::string line, word, name;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    words >> word;
    if (word == "kinds") words >> found.kinds;
    if (word == "energies") words >> found.lowest >> found.highest;
    if (word == "direction") words >> found.direction[0] >> found.direction[1] >> found.direction[2];
    if (word == "projectile") {
      words >> name;
      words >> found.projectiles[name].code >> found.projectiles[name].place;
    }
    if (word == "target") {
      words >> name;
      words >> found.targets[name].charge >> found.targets[name].baryons;
    }
    if (!words) throw std::runtime_error(directory + "/metadata.txt: cannot read the line '" + line + "'");
  }
  return found;
}

template <class T>
const T& known(const std::map<std::string, T>& table, const std::string& name, const std::string& what) {
  const auto place = table.find(name);
  if (place != table.end()) return place->second;
  std::string names;
  for (const auto& entry : table) names += " " + entry.first;
  throw std::runtime_error(what + " " + name + " was not trained; known:" + names);
}

// Turn z into a unit vector, as cloudchamber.simulators.hadronic.kinematics.turns.
void turn(Particle& particle, const Vector& direction) {
  const auto [x, y, z] = direction;
  const double across = std::hypot(x, y);
  const double cos = across > 0 ? x / across : 1, sin = across > 0 ? y / across : 0;
  const double px = particle.x, py = particle.y, pz = particle.z;
  particle.x = cos * z * px - sin * py + x * pz;
  particle.y = sin * z * px + cos * py + y * pz;
  particle.z = -across * px + z * pz;
}

// Events first to first + events, all under one condition.
std::vector<Event> generate(Backend& backend, const std::array<double, 4>& condition, std::size_t kinds,
                            std::uint64_t seed, std::uint64_t first, std::size_t events) {
  std::vector<Event> made(events);
  std::vector<std::size_t> left(events);
  for (std::size_t row = 0; row < events; ++row) left[row] = row;
  std::vector<std::int64_t> kind;
  for (std::uint64_t attempt = 0; attempt < tries && !left.empty(); ++attempt) {
    const auto rows = static_cast<std::int64_t>(left.size());
    std::vector<double> conditions, uniform, coin;
    std::vector<float> normal;
    std::vector<Numbers> numbers;
    for (const auto row : left) {
      numbers.emplace_back(seed, first + row, attempt);
      conditions.insert(conditions.end(), condition.begin(), condition.end());
    }
    if (attempt == 0 || attempt >= same_kinds) {
      for (const auto& own : numbers)
        for (std::uint64_t k = 0; k < 2 + kinds; ++k) uniform.push_back(own.uniform(k));
      kind = backend.kinds(rows, conditions, uniform);
    }
    const std::size_t most = kind.size() / left.size();
    for (const auto& own : numbers)
      for (std::uint64_t k = 2 + kinds; k < 2 + kinds + 7 * most; k += 7) {
        coin.push_back(own.uniform(k));
        for (int axis = 0; axis < 3; ++axis) normal.push_back(own.normal(k + 1 + 2 * axis));
      }
    const Particles found = backend.momenta(rows, conditions, kind, coin, normal);
    std::vector<std::size_t> again;
    std::vector<std::int64_t> same;
    for (std::size_t row = 0; row < left.size(); ++row) {
      const std::size_t begin = row * most, end = begin + most;
      if (!found.solved[row]) {
        again.push_back(left[row]);
        same.insert(same.end(), kind.begin() + begin, kind.begin() + end);
        continue;
      }
      for (std::size_t i = begin; i < end; ++i) {
        const double* p = &found.momentum[4 * i];
        if (found.code[i] != 0) made[left[row]].push_back({found.code[i], p[0], p[1], p[2], p[3]});
      }
    }
    left = again;
    kind = same;
  }
  if (!left.empty()) throw std::runtime_error("events that fit no energy: another condition");
  return made;
}

int run(const std::vector<std::string>& words) {
  const Generator generator = read(words[0]);
  const auto projectile = known(generator.projectiles, words[1], "projectile");
  const auto target = known(generator.targets, words[2], "target");
  const double energy = std::stod(words[3]);
  const std::uint64_t events = std::stoull(words[4]), seed = std::stoull(words[5]);
  if (!(energy >= generator.lowest && energy <= generator.highest))
    throw std::runtime_error("energy " + words[3] + " GeV: the training went from " + std::to_string(generator.lowest) +
                             " to " + std::to_string(generator.highest) + " GeV");
  Vector direction = generator.direction;
  if (words.size() == 10) direction = {std::stod(words[7]), std::stod(words[8]), std::stod(words[9])};
  const double length = std::hypot(direction[0], direction[1], direction[2]);
  if (!(length > 0)) throw std::runtime_error("the direction needs a number that is not 0");
  for (auto& one : direction) one /= length;

  const auto backend = make_backend(words[0]);
  std::FILE* output = std::fopen(words[6].c_str(), "w");
  if (output == nullptr) throw std::runtime_error("cannot write " + words[6]);
  std::fprintf(output, "# GeV: pdg dirx diry dirz Ekin [pdg px py pz E]...\n");
  const std::array<double, 4> condition{projectile.place, target.charge, target.baryons, energy};
  for (std::uint64_t first = 0; first < events; first += batch) {
    const auto number = static_cast<std::size_t>(std::min<std::uint64_t>(batch, events - first));
    for (auto& event : generate(*backend, condition, generator.kinds, seed, first, number)) {
      std::fprintf(output, "%ld %.17g %.17g %.17g %.17g", projectile.code, direction[0], direction[1], direction[2],
                   energy);
      for (auto& particle : event) {
        turn(particle, direction);
        std::fprintf(output, " %lld %.17g %.17g %.17g %.17g", static_cast<long long>(particle.code), particle.x,
                     particle.y, particle.z, particle.energy);
      }
      std::fprintf(output, "\n");
    }
  }
  if (std::fclose(output) != 0) throw std::runtime_error("cannot write " + words[6]);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() != 7 && words.size() != 10) {
    std::cerr << "usage: generate DIRECTORY PROJECTILE TARGET ENERGY EVENTS SEED OUTPUT [X Y Z]\n";
    return 2;
  }
  try {
    return run(words);
  } catch (const std::exception& error) {
    std::cerr << "generate: " << error.what() << "\n";
    return 1;
  }
}
