// Dose of a carbon beam in water, by Geant4 with the emulator or as it is.
//
//     carbon_in_water DIRECTORY ENERGY EVENTS SEED OUTPUT
//
// DIRECTORY is an export, or `none`: Geant4's own ion physics. ENERGY in MeV per nucleon. A line of OUTPUT is a slab of
// 0.1 mm: its depth [mm], the dose there in MeV per mm and ion, then what carriers of charge 0, 1, ... 6 and more left
// of it (electrons count for the ion that made them).
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "G4Box.hh"
#include "G4Event.hh"
#include "G4IonTable.hh"
#include "G4LogicalVolume.hh"
#include "G4NistManager.hh"
#include "G4PVPlacement.hh"
#include "G4ParticleGun.hh"
#include "G4PhysListFactory.hh"
#include "G4RunManager.hh"
#include "G4RunManagerFactory.hh"
#include "G4Step.hh"
#include "G4SystemOfUnits.hh"
#include "G4Track.hh"
#include "G4UserEventAction.hh"
#include "G4UserSteppingAction.hh"
#include "G4VModularPhysicsList.hh"
#include "G4VUserActionInitialization.hh"
#include "G4VUserDetectorConstruction.hh"
#include "G4VUserPrimaryGeneratorAction.hh"
#include "Randomize.hh"
#include "TransportEmulatorPhysics.hh"

namespace {

constexpr double slab = 0.1, depth = 60, width = 100;  // mm
constexpr int slabs = 600, charges = 7;
using Dose = std::vector<std::array<double, charges>>;  // MeV

class Water : public G4VUserDetectorConstruction {
 public:
  G4VPhysicalVolume* Construct() override {
    auto* water = G4NistManager::Instance()->FindOrBuildMaterial("G4_WATER");
    auto* box = new G4Box("Water", width / 2 * mm, width / 2 * mm, depth / 2 * mm);
    auto* volume = new G4LogicalVolume(box, water, "Water");
    return new G4PVPlacement(nullptr, G4ThreeVector(), volume, "Water", nullptr, false, 0, false);
  }
};

class Beam : public G4VUserPrimaryGeneratorAction {
 public:
  explicit Beam(double energy) : energy_(energy) {}
  void GeneratePrimaries(G4Event* event) override {
    gun_.SetParticleDefinition(G4IonTable::GetIonTable()->GetIon(6, 12, 0.0));
    gun_.SetParticleCharge(6 * eplus);
    gun_.SetParticleEnergy(12 * energy_ * MeV);
    gun_.SetParticlePosition(G4ThreeVector(0, 0, -depth / 2 * mm));
    gun_.SetParticleMomentumDirection(G4ThreeVector(0, 0, 1));
    gun_.GeneratePrimaryVertex(event);
  }

 private:
  G4ParticleGun gun_{1};
  double energy_;
};

class Scorer : public G4UserSteppingAction {
 public:
  explicit Scorer(Dose& dose) : dose_(dose) {}
  void forget() { charge_.clear(); }

  void UserSteppingAction(const G4Step* step) override {
    const auto* track = step->GetTrack();
    const double own = track->GetDefinition()->GetPDGCharge() / eplus;
    int charge = static_cast<int>(own);
    if (std::abs(track->GetDefinition()->GetPDGEncoding()) == 11) {  // an electron counts for what made it
      const auto parent = charge_.find(track->GetParentID());
      charge = parent == charge_.end() ? 0 : parent->second;
    }
    charge_[track->GetTrackID()] = charge;
    const double deposit = step->GetTotalEnergyDeposit() / MeV;
    if (deposit <= 0) return;
    // anywhere along the step, so that slabs of 0.1 mm show no steps
    const double share = G4UniformRand();
    const double z = (1 - share) * step->GetPreStepPoint()->GetPosition().z() +
                     share * step->GetPostStepPoint()->GetPosition().z();
    const int place = std::clamp(static_cast<int>((z / mm + depth / 2) / slab), 0, slabs - 1);
    dose_[place][std::clamp(charge, 0, charges - 1)] += deposit;
  }

 private:
  Dose& dose_;
  std::map<int, int> charge_;
};

class EventEnd : public G4UserEventAction {
 public:
  explicit EventEnd(Scorer* scorer) : scorer_(scorer) {}
  void EndOfEventAction(const G4Event*) override { scorer_->forget(); }

 private:
  Scorer* scorer_;
};

class Actions : public G4VUserActionInitialization {
 public:
  Actions(double energy, Dose& dose) : energy_(energy), dose_(dose) {}
  void Build() const override {
    SetUserAction(new Beam(energy_));
    auto* scorer = new Scorer(dose_);
    SetUserAction(scorer);
    SetUserAction(new EventEnd(scorer));
  }

 private:
  double energy_;
  Dose& dose_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::cerr << "usage: carbon_in_water DIRECTORY|none ENERGY EVENTS SEED OUTPUT\n";
    return 2;
  }
  const std::string directory = arguments[1];
  const double energy = std::stod(arguments[2]);
  const int events = std::stoi(arguments[3]);
  G4Random::setTheSeed(std::stol(arguments[4]));

  auto* manager = G4RunManagerFactory::CreateRunManager(G4RunManagerType::Serial);
  manager->SetUserInitialization(new Water);
  G4PhysListFactory factory;
  auto* physics = factory.GetReferencePhysList("QGSP_BIC_EMZ");
  if (directory != "none") physics->ReplacePhysics(new TransportEmulatorPhysics(directory));
  manager->SetUserInitialization(physics);
  Dose dose(slabs, std::array<double, charges>{});
  manager->SetUserInitialization(new Actions(energy, dose));
  try {
    manager->Initialize();
    manager->BeamOn(events);
  } catch (const std::exception& error) {
    std::cerr << "carbon_in_water: " << error.what() << "\n";
    return 1;
  }

  std::FILE* output = std::fopen(arguments[5], "w");
  if (output == nullptr) {
    std::cerr << "carbon_in_water: cannot write " << arguments[5] << "\n";
    return 1;
  }
  std::fprintf(output, "# depth [mm], dose [MeV per mm and ion]: all, charge 0 1 2 3 4 5 6\n");
  for (int place = 0; place < slabs; ++place) {
    double sum = 0;
    for (const double one : dose[place]) sum += one;
    std::fprintf(output, "%.3f %.6g", (place + 0.5) * slab, sum / slab / events);
    for (const double one : dose[place]) std::fprintf(output, " %.6g", one / slab / events);
    std::fprintf(output, "\n");
  }
  std::fclose(output);
  delete manager;
  return 0;
}
